"""A delivery: one file of a feed, what was in it and what became of every row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple, Self

from contracts.errors import PromiseError

State = Literal["accepted", "held", "repeated"]
RuleState = Literal["passed", "failed", "error"]


class RuleResult(NamedTuple):
    """How one rule fared on one delivery.

    Attributes:
        name: `column.rule`, or the rule's id.
        severity: error or warning.
        checked: Rows it was held against.
        failed: Rows that broke it, those included on which it could not be computed; of a rule over the
            number of rows all or none.
        state: passed: within its limit. failed: beyond it. error: it could not be computed on some rows,
            which counts as broken.
    """

    name: str
    severity: Literal["error", "warning"]
    checked: int
    failed: int
    state: RuleState


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What one file gave.

    Attributes:
        id: Made of its content and of how it was read; events carry it.
        feed: The feed.
        stream: The stream of the feed.
        source: The file's name, below the workspace.
        sha256: Of the file's bytes.
        reading: Hash of how it is read: format, contract, identity key.
        mapping: Hash of what its rows tell of.
        state: accepted; held, when it could not be read or broke its contract too often, and none of
            it counts; repeated, when the same bytes had come before.
        reason: Why it was held, which file it repeats, or which of the pushed deliveries in it do not count.
        rows_read: Rows in the file, unreadable lines included.
        rows_accepted: Rows that kept the contract.
        rows_quarantined: Rows that broke it.
        rows_duplicate: Rows that repeat another one.
        event_count: Events that its accepted rows tell of.
        rows_dropped: Rows that were in quarantine and were given up by hand.
        reasons: Rows in quarantine by rule they broke.
        results: How every rule of the contract fared.
        contract: The contract they were held against, `id@version`.
        references: Hash of what its relationships pointed to.
        newest_event_at: Newest event, ISO, UTC.
        parts: Files of its landing below the store, by what they hold: rows, rejects, events, links;
            mended, rows that were re-admitted by hand; dropped.
    """

    id: str
    feed: str
    stream: str
    source: str
    sha256: str
    reading: str
    mapping: str
    state: State
    reason: str | None = None
    rows_read: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_dropped: int = 0
    event_count: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    results: tuple[RuleResult, ...] = ()
    contract: str = ""
    references: str = ""
    newest_event_at: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = self.rows_accepted + self.rows_quarantined + self.rows_duplicate + self.rows_dropped
        if self.rows_read != kept:
            raise PromiseError.at(
                f"{self.feed}.{self.stream}: {self.source}",
                f"{self.rows_read:,} rows were read, but {kept:,} are accounted for.",
                "This is a defect: report it.",
            )

    def as_dict(self) -> dict[str, Any]:
        """The delivery as plain values."""
        # Not `asdict`, which copies every value deeply: there may be hundreds of thousands.
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        results = [list(result) for result in self.results]
        return {**plain, "reasons": dict(self.reasons), "parts": dict(self.parts), "results": results}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The delivery of plain values."""
        known: dict[str, Any] = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        known["results"] = tuple(RuleResult(*result) for result in values.get("results", ()))
        return cls(**known)
