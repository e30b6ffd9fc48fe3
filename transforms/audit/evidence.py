"""What the audit looks at."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

import polars as pl

from contracts.accountability import AccountabilityMap, Touchpoint
from contracts.attestations import Attested
from contracts.map_content import FormulaChange
from contracts.tables import (
    GoalHistory,
    MetricStanding,
    ObservedAccountability,
    PersonLoad,
    PriorityMismatch,
    SamplingSentinel,
    UnmatchedShare,
    WhoAnswered,
)
from contracts.tenures import EARLIEST, LATEST, Tenure
from contracts.workspace import Limits
from transforms.in_force import Standing
from transforms.independence import independence
from transforms.lived import Lived

HANDOFF_DAYS = 91
Stake = tuple[int, int]
"""Events and customers."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the audit looks at.

    Attributes:
        atlas: The map.
        tenures: Its tenures.
        now: The instant it is.
        limits: Where it begins to warn.
        observed: (touchpoint, metric) pairs that were ever observed.
        best: The best value that a (touchpoint, metric) pair had in any whole month with enough
            observations.
        recent: Events and customers of the last 28 days, by touchpoint.
        lived: The same, to be put together.
        disowned: Events and customers while nobody was accountable, under the index of the tenure as a text.
        unmatched: FactEventUnmatched.
        unmatched_share: UnmatchedShare.
        shadowed_by: Earlier rules that win in a rule's place, by rule that never wins.
        hits: Events by rule, whole history.
        recent_hits: Events by rule, last 28 days; None when they were not counted.
        handoffs: FactHandoff of the last `HANDOFF_DAYS` days.
        trust: DataTrust.
        metric_standing: MetricStanding.
        load: PersonLoad.
        resolved_by: ObservedAccountability.
        drifts: Rows of SamplingSentinel of series that have drifted and not come back.
        who_answered: WhoAnswered.
        shared_tokens: How many e-mails, phones and ids are shared by too many people.
        goal_history: GoalHistory.
        formula_changes: Metrics whose formula changed without their version.
        grades: Grade of trust over the last 28 days, and its weakest part, by (touchpoint, metric).
        mismatches: PriorityMismatch.
        said: What accountable people say of every touchpoint.
        rates_apart: Events counted by rates of which no touchpoint has both the events and what they are counted
            against, by metric.
        ledger: Independence as it stands now; worked out when absent.
        found: Rule and object of every finding so far; only the rules about waivers look at it.
    """

    atlas: AccountabilityMap
    tenures: Sequence[Tenure]
    now: datetime
    limits: Limits = field(default_factory=Limits)
    observed: frozenset[tuple[str, str]]
    best: Mapping[tuple[str, str], float] = field(default_factory=dict)
    recent: Mapping[str, Stake]
    lived: Lived = field(default_factory=Lived)
    disowned: Lived
    unmatched: pl.DataFrame
    unmatched_share: pl.DataFrame = field(default_factory=UnmatchedShare.empty)
    shadowed_by: Mapping[str, list[str]]
    hits: Mapping[str, int]
    recent_hits: Mapping[str, int] | None = None
    handoffs: pl.DataFrame
    trust: pl.DataFrame
    metric_standing: pl.DataFrame = field(default_factory=MetricStanding.empty)
    load: pl.DataFrame = field(default_factory=PersonLoad.empty)
    resolved_by: pl.DataFrame = field(default_factory=ObservedAccountability.empty)
    drifts: pl.DataFrame = field(default_factory=SamplingSentinel.empty)
    who_answered: pl.DataFrame = field(default_factory=WhoAnswered.empty)
    shared_tokens: int = 0
    goal_history: pl.DataFrame = field(default_factory=GoalHistory.empty)
    formula_changes: Sequence[FormulaChange] = ()
    grades: Mapping[tuple[str, str], tuple[str, str | None]] = field(default_factory=dict)
    mismatches: pl.DataFrame = field(default_factory=PriorityMismatch.empty)
    said: Sequence[Attested] = ()
    rates_apart: Mapping[str, int] = field(default_factory=dict)
    ledger: pl.DataFrame | None = None
    found: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def standing(self) -> Standing:
        """The map as it stands now."""
        return Standing(self.atlas, self.tenures, self.now)

    @cached_property
    def independence(self) -> pl.DataFrame:
        """Independence: whose hands every number goes through."""
        return independence(self.standing) if self.ledger is None else self.ledger

    @property
    def today(self) -> date:
        """The running day in the map's zone."""
        return self.standing.today

    @cached_property
    def living(self) -> list[Touchpoint]:
        """Touchpoints that exist now."""
        return [one for one in self.atlas.touchpoints if one.id in self.standing.held]

    @cached_property
    def names(self) -> dict[str, str]:
        """Names by id of touchpoints, seats and teams."""
        parts = (*self.atlas.touchpoints, *self.atlas.seats, *self.atlas.teams)
        return {part.id: part.name for part in reversed(parts)}

    def stake(self, touchpoint: str) -> Stake:
        """Events and customers of the last 28 days."""
        return self.recent.get(touchpoint, (0, 0))

    def stake_of(self, touchpoints: Collection[str]) -> Stake:
        """Events and customers of the last 28 days at several touchpoints; each customer counts once."""
        return self.lived.stake(touchpoints)

    def stake_without_owner(self, tenures: Iterable[int]) -> Stake:
        """Events and customers of tenures in which nobody was accountable; each customer counts once."""
        return self.disowned.stake(map(str, tenures))

    def stake_of_feed(self, feed: str) -> Stake:
        """The same at the touchpoints that have a metric from a feed."""
        parts = self.metric_standing.with_columns(pl.col("feeds").str.split(", "))
        told = parts.explode("feeds").filter(pl.col("feeds") == feed)
        return self.stake_of(set(told["touchpoint_id"]))

    def without_owner(self, state: str) -> Iterator[tuple[int, Tenure]]:
        """Tenures so far in which nobody was accountable, with their index."""
        for index, tenure in enumerate(self.standing.tenures, start=1):
            if tenure.state == state and tenure.start <= self.now:
                yield index, tenure


def known(moment: datetime) -> datetime | None:
    """An instant, or None where it stands for "always"."""
    return None if moment in (EARLIEST, LATEST) else moment
