"""The one pass over events: matched file by file, summed, and put together.

Memory is bounded by a file or a partition of months, not by the history; sums of partitions add up to the sums
of the whole.
"""

import json
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import polars as pl

from contracts.events import INSTANT, Codebook
from flows.briefs import brief_of
from flows.case_parts import BUCKET, CASES, Cut, cases_of, make_bucket
from flows.customer_parts import customers_of
from flows.interpreter import give_back
from flows.lately import Lately, lately_of
from flows.parts import (
    BY_STAKES,
    FACTS,
    MISSED,
    MOVED,
    PARTITION_ROWS,
    TOLD,
    Frames,
    PackKeys,
    Pass,
    hash_of,
    keys_of,
    lacking,
    parts_of,
    put_together,
)
from flows.progress import Tell, silent
from flows.side_by_side import side_by_side
from flows.tasks import Team
from flows.workspace import LoadedWorkspace
from transforms.behind import BEHIND, cases_by_feed
from transforms.credit import named
from transforms.customer_counts import Counts
from transforms.followed import measure_followed
from transforms.lived import Lived
from transforms.match import Matcher, match
from transforms.measure import CELL, SUMS, VALUED, case_values, looks_ahead, measure_cases, volume
from transforms.periods import Calendar
from transforms.quantiles import is_censored
from transforms.renewed import Renewed
from transforms.slots import Slots
from transforms.valued import Values
from warehouse.executors import Executor
from warehouse.kept import Kept
from warehouse.store import State


class _ForNow(Kept):
    """What is kept of a pass that keeps nothing: in memory, and the events that cases are made of only until they are."""

    def put(self, kind: str, key: str, tables: Frames, *, as_in_memory: bool = False) -> None:
        """Keep tables under a key."""
        if kind.startswith(CASES):
            self.drop(TOLD)
        super().put(kind, key, tables, as_in_memory=as_in_memory)


@dataclass(frozen=True)
class Measured:
    """What the passes over events and cases left behind.

    Attributes:
        codebook: What the codes of events stand for.
        calendar: The days that are reported on.
        matcher: The compiled map.
        counted: slot, rule, touchpoint, n: every event.
        sums: `SUMS` of every metric, volume included.
        answers: slot, touchpoint, metric, score, n.
        values: Observations of quantiles.
        made: Cases with slots, as codes, and how they come from those made long before.
        handed: Handoffs, as codes, likewise.
        told_lately: What is told of single customers, by code of touchpoint.
        disowned: tenure, customer, n: events while nobody was accountable.
        behind: touchpoint, metric, feed: which feeds stand behind which numbers.
        customers: Counts of customers, see `transforms.customer_counts`.
        told: Who was asked and who answered, see `transforms.sampling`.
        lived: Sums of those who could have been asked.
        kept: Where what is computed from it may be kept.
        read: Events that were read for it; of all others what they gave was kept.
    """

    codebook: Codebook
    calendar: Calendar
    matcher: Matcher
    counted: pl.DataFrame
    sums: pl.DataFrame
    answers: pl.DataFrame
    values: Values
    made: Renewed
    handed: Renewed
    told_lately: Lately
    disowned: pl.DataFrame
    behind: pl.DataFrame
    customers: Counts
    told: pl.DataFrame
    lived: pl.DataFrame
    kept: Kept
    read: int = 0

    @cached_property
    def lately(self) -> Lived:
        """Who lived through the last 28 days, by touchpoint."""
        return self.told_lately.lived.named({str(c): name for c, name in enumerate(self.matcher.names)})

    @property
    def slots(self) -> Slots:
        """The slots that everything is credited by."""
        return self.matcher.slots


def matcher_of(workspace: LoadedWorkspace, state: State) -> tuple[Matcher, Codebook, Calendar]:
    """The compiled map, what the codes stand for, and the days that are reported on."""
    return brief_of(workspace).compiled(state)


def measure(
    workspace: LoadedWorkspace,
    state: State,
    tell: Tell = silent,
    kept: Kept | None = None,
    executor: Executor | None = None,
    at_once: int | None = None,
) -> Measured:
    """Match every stored event and sum it up; of files that are as they were, what is kept is read.

    Args:
        workspace: Map and clock.
        state: The events.
        tell: Told of every pack of files that is computed.
        kept: Where what files give is kept; in this process alone when absent: everything is computed.
        executor: Who computes; this process when absent.
        at_once: How many events may be read at once; a file's when absent.
    """
    brief = brief_of(workspace)
    asked = brief.asked_of(state, _ForNow() if kept is None else kept, at_once)
    matcher, codebook, calendar = asked.matcher, asked.codebook, asked.calendar
    keys = keys_of(asked)
    team = Team(brief, asked, keys, executor, tell)
    team.make_parts()
    _bring(asked, keys)
    summed = put_together(asked, parts_of(asked, keys, tell))
    give_back()
    told_of_cases = workspace.atlas.cases and keys
    make = team.make_cases if executor else partial(_make_cases, asked)
    found, handed = cases_of(asked, keys, make) if told_of_cases else (_no_cases(), _NO_HANDOFFS)
    customers = customers_of(asked, keys)
    give_back()
    if kept is None:
        asked.kept.drop(CASES)  # they are as they are today by now
        asked.kept.drop(MOVED)
    metrics = workspace.atlas.metrics
    of_cases = _sums_of_cases(workspace, codebook, found) if told_of_cases else _OfCases.none()
    followed_sums = measure_followed(summed["ahead"].lazy(), metrics, workspace.now).collect()
    volumes = volume(summed["counted"].lazy()).collect()
    return Measured(
        codebook,
        calendar,
        matcher,
        summed["counted"],
        pl.concat([volumes, summed["sums"], of_cases.sums, followed_sums]),
        summed["answers"],
        of_cases.values,
        found,
        handed,
        lately_of(asked, keys),
        summed["disowned"],
        pl.concat([summed["behind"], of_cases.behind]).unique(maintain_order=True),
        customers,
        summed["told"],
        summed["lived"],
        asked.kept,
        asked.read.rows,
    )


class _Lending(Kept):
    """Finds what is kept, and lends what is made to the one who puts it together."""

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self._kept = kept

    def find(self, kind: str, key: str, names: Collection[str] | None = None) -> Frames | None:
        """As `Kept.find`."""
        return self._kept.find(kind, key, names)

    def put(self, kind: str, key: str, tables: Frames, *, as_in_memory: bool = False) -> None:
        """Lend buckets of cases; what else is made on the way is asked for again."""
        if kind == BUCKET:
            self._kept.lend(kind, key, tables)
        else:
            self._kept.put(kind, key, tables, as_in_memory=as_in_memory)


def _make_cases(asked: Pass, cut: Cut) -> None:
    """Make all buckets of cases, as many at the same time as packs are read."""
    lending = replace(asked, kept=_Lending(asked.kept))
    made = side_by_side(partial(make_bucket, lending, cut), range(cut.buckets), asked.packs_at_once)
    deque(made, maxlen=0)


def _bring(asked: Pass, keys: Sequence[PackKeys]) -> None:
    """Fetch at once what is about to be read, one after the other, where it is not here: parts, and files without."""
    if asked.kept.mirror is not None:
        found = [(kind, one.under(kind)) for kind in (FACTS, MISSED) for one in keys]
        found += [(kind, one.under(kind)) for kind in BY_STAKES for one in keys if one.stakes]
        asked.kept.bring(found)
        files = [file for lack in lacking(asked, keys) for file in lack.keys.files]
        asked.kept.mirror.bring([asked.state.folder / file.path for file in files])


def credited_events(workspace: LoadedWorkspace, state: State) -> pl.DataFrame:
    """Every stored event with who it is credited to, in stored order.

    Returns:
        event_id, occurred_at, touchpoint_id, rule_id, owner_id, and current_owner_id: who is accountable
        for the touchpoint now.
    """
    matcher, _, _ = matcher_of(workspace, state)
    names = matcher.names
    owners = matcher.slots.owners()["owner_id"]
    now = matcher.slots.find(pl.lit(workspace.now).cast(INSTANT))
    rules = [None, *(rule.id for rule in matcher.decision.rules)]
    matched = match(state.scan(["event_id", *matcher.columns]), matcher)
    return (
        matched.with_columns(matcher.slots.credited())
        .with_columns(owner_id=pl.lit(owners).gather(pl.col("tenure")), slot=now)
        .with_columns(matcher.slots.credited())
        .select(
            "event_id",
            "occurred_at",
            touchpoint_id=named("touchpoint", names),
            rule_id=named("rule", rules),
            owner_id="owner_id",
            current_owner_id=pl.lit(owners).gather(pl.col("tenure")),
        )
        .collect()
    )


@dataclass(frozen=True)
class _OfCases:
    """`SUMS` of every metric over cases but quantiles, observations of these, and `BEHIND`."""

    sums: pl.DataFrame
    values: Values
    behind: pl.DataFrame

    @classmethod
    def none(cls) -> "_OfCases":
        """Of no cases."""
        empty = (pl.DataFrame(schema=dict(kinds)) for kinds in (SUMS, VALUED, BEHIND))
        sums, values, behind = empty
        return cls(sums, Values.of(values), behind)


def _sums_of_cases(workspace: LoadedWorkspace, codebook: Codebook, cases: Renewed) -> _OfCases:
    """What adds up over cases: of those made long before it is remembered, but for metrics that look ahead."""
    metrics, now = workspace.atlas.metrics, workspace.now
    asked = json.dumps([m.model_dump(mode="json") if m.of == "cases" else None for m in metrics])
    coded = json.dumps(sorted(name for name in cases.old.columns if codebook.is_coded(name)))
    made_of = hash_of([asked, coded])

    def summed(rows: pl.DataFrame) -> pl.DataFrame:
        alone = measure_cases(rows.lazy(), metrics, codebook, now, lambda one: not looks_ahead(one))
        return alone.group_by(CELL).agg(pl.exclude(CELL).sum()).collect()

    together = measure_cases(cases.lazy(), metrics, codebook, now, looks_ahead).collect()
    fed = cases.summed(
        f"behind-{made_of}",
        lambda rows: cases_by_feed(rows.lazy(), metrics, codebook).collect(),
        list(BEHIND),
    )
    sums = cases.summed(f"sums-{made_of}", summed, CELL).select(list(SUMS))
    values = Values.following(
        cases,
        lambda rows: case_values(rows.lazy(), metrics, codebook, now).collect(),
        made_of,
        waits=any(is_censored(one) for one in metrics),
    )
    return _OfCases(pl.concat([sums, together]), values, fed.select(list(BEHIND)))


_NO_HANDOFFS = Renewed.whole(pl.DataFrame())


def _no_cases() -> Renewed:
    slot_columns = {f"slot_{name}": pl.UInt32 for name in ("opened", "resolved", "closed")}
    return Renewed.whole(pl.DataFrame(schema={"touchpoint": pl.UInt16, "feed": pl.UInt16, **slot_columns}))


def pass_partitions(state: State) -> Iterator[list[str]]:
    """Months in groups of at most `PARTITION_ROWS` events, at least one group."""
    group: list[str] = []
    rows = 0
    for name in sorted(state.months):
        if group and rows + state.months[name].rows > PARTITION_ROWS:
            yield group
            group, rows = [], 0
        group.append(name)
        rows += state.months[name].rows
    yield group
