"""What a rule of the audit is: one declaration with its severity, sentence, remedy, and who acts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from contracts.accountability import Touchpoint
from transforms.audit.evidence import Evidence, Stake

Severity = Literal["critical", "warning", "info"]
Who = Literal["accountable", "feed", "owners", "goals", "metrics", "rules"]
"""Who has to act: the accountable seat, the feed's owner, or whoever the map gives the right to decide on
owners, goals, metrics or rules. Where the map names nobody, the finding names nobody either."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One gap.

    Attributes:
        object_type: What it is about: touchpoint, seat, rule, kind, teams, feed, person, ...
        object_id: Which one.
        said: What the rule's sentence and remedy leave open, by name.
        stake: Events and customers at stake.
        touchpoint: Touchpoint it concerns, for who may decide on it.
        severity: When it differs from the rule's.
        fixed_by: Seat that has to act, where the finding knows.
        since: Since when; None when always or not known.
        until: Until when; None while it lasts.
        declared_at: `file:line`.
    """

    object_type: str
    object_id: str
    said: Mapping[str, object] = field(default_factory=dict)
    stake: Stake = (0, 0)
    touchpoint: str | None = None
    severity: Severity | None = None
    fixed_by: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    declared_at: str | None = None


Find = Callable[[Evidence], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class AuditRule:
    """One rule of the audit.

    Attributes:
        name: Its id, in findings and waivers.
        severity: How bad a gap is unless the finding says otherwise.
        sentence: What is wrong; names in braces are filled by the finding.
        remedy: What to do.
        fixed_by: Who has to act.
        is_last: Whether it looks at what the other rules found.
        find: Yields what it finds.
    """

    name: str
    severity: Severity
    sentence: str
    remedy: str
    fixed_by: Who
    is_last: bool
    find: Find = field(repr=False)

    @property
    def about(self) -> str:
        """What it looks for, in one line."""
        return (self.find.__doc__ or "").partition("\n")[0]


RULES: list[AuditRule] = []
"""Every rule, in the order of declaration."""


def rule(
    severity: Severity, sentence: str, remedy: str, fixed_by: Who, *, is_last: bool = False
) -> Callable[[Find], AuditRule]:
    """Declare a rule; the function's name is its id, its docstring what it looks for."""

    def declare(find: Find) -> AuditRule:
        made = AuditRule(
            name=getattr(find, "__name__", ""),
            severity=severity,
            sentence=sentence,
            remedy=remedy,
            fixed_by=fixed_by,
            is_last=is_last,
            find=find,
        )
        RULES.append(made)
        return made

    return declare


def about(evidence: Evidence, touchpoint: Touchpoint, part: str = "", **said: object) -> Finding:
    """A finding about a touchpoint, or a part of it; `{name}` is the touchpoint's name."""
    return Finding(
        object_type="touchpoint",
        object_id=f"{touchpoint.id}.{part}" if part else touchpoint.id,
        said={"name": touchpoint.name, **said},
        stake=evidence.stake(touchpoint.id),
        touchpoint=touchpoint.id,
        declared_at=evidence.atlas.where("touchpoints", touchpoint.id),
    )
