"""Events about one subject become one case; its passage through groups becomes handoffs."""

from typing import Literal

import numpy as np
import polars as pl

from contracts.accountability import Cases, Reduction
from contracts.events import Codebook
from contracts.predicates import Condition
from transforms.durations import HOUR, in_units
from transforms.predicates import coded

STEPS = 1000
"""Sums over a case's events are kept in so many parts of one."""

SUBJECT = ("feed", "subject_id")
_ORDER = (*SUBJECT, "occurred_at", "sequence", "landing", "row")
_WORD = 64
MILESTONES = ("opened", "responded", "resolved", "closed")


def case_columns(spec: Cases, codebook: Codebook) -> list[str]:
    """Stored columns that `cases` reads, besides slot and touchpoint."""
    attributes = [codebook.column(name) for name in spec.attributes]
    return [*_ORDER, "kind", "actor_team", "channel", "customer", "subject_type", *attributes]


def narrow(told: pl.DataFrame) -> pl.DataFrame:
    """Rows with every column as narrow as its numbers, but for those of subjects.

    Subjects are looked up among each other by halves, which takes one type for all.
    """
    return told.with_columns(
        one.shrink_dtype() for one in told if one.dtype.is_integer() and one.name not in SUBJECT
    )


def by_subject(told: pl.DataFrame) -> pl.DataFrame:
    """Rows of subjects beside each other, in order of feed and subject: those of each stay in the order they are in."""
    told = told.rechunk()  # a look-up in columns of several pieces takes five times as long
    order = _beside(told)
    return told if order is None else told[order]


def rows_of(told: pl.DataFrame, subjects: pl.DataFrame) -> np.ndarray:
    """Numbers of the rows of some subjects, ascending.

    Args:
        told: Rows as `by_subject` returns them. Only some of them are looked at: as many for each subject as it takes
            to halve all until one is left.
        subjects: feed, subject_id: each once.
    """
    low, high = edges_of(told, subjects, "left"), edges_of(told, subjects, "right")
    counts = high - low
    before = np.cumsum(counts) - counts
    return np.sort(np.repeat(low - before, counts) + np.arange(counts.sum()))


def edges_of(told: pl.DataFrame, subjects: pl.DataFrame, side: Literal["left", "right"]) -> np.ndarray:
    """Where the rows of some subjects begin (`left`) or end (`right`), in the order of the subjects.

    Args:
        told: Rows as `by_subject` returns them.
        subjects: feed, subject_id; those of which there is no row begin and end where it would be.
        side: Which of both.
    """
    feeds, ids = told["feed"].to_numpy(), told["subject_id"].to_numpy()
    # Of the columns' own types: else all of them were copied into another one.
    feed, wanted = subjects["feed"].to_numpy(), subjects["subject_id"].to_numpy()
    found = np.empty(subjects.height, dtype=np.int64)
    for one in np.unique(feed):
        low, high = (int(np.searchsorted(feeds, one, end)) for end in ("left", "right"))
        of_it = feed == one
        found[of_it] = low + np.searchsorted(ids[low:high], wanted[of_it], side)
    return found


def in_order(told: pl.DataFrame) -> pl.DataFrame:
    """Stored events by subject and time: what `cases` and `handoffs` take when told that it is in order.

    Events of one subject mostly come in order, for files are by customer and time. So they are put beside each
    other, which leaves their order as it was, and only subjects that come otherwise are sorted by time.
    """
    beside = by_subject(told)
    subject, at = _numbered(beside), beside["occurred_at"].to_physical().to_numpy()
    rows = np.flatnonzero((subject[1:] == subject[:-1]) & (at[1:] <= at[:-1])) + 1
    ordered = beside.select(_ORDER)
    # Of events at one instant it is the rest of the order that says which is later.
    some, before, later = ordered[rows], ordered[rows - 1], pl.Series([False]).new_from_index(0, rows.size)
    for name in reversed(_ORDER[2:]):
        later = (some[name] < before[name]) | ((some[name] == before[name]) & later)
    otherwise = some.filter(later).select(SUBJECT).unique()
    if otherwise.is_empty():
        return beside
    numbered = ordered.with_row_index("place").join(otherwise, on=SUBJECT, how="semi", maintain_order="left")
    places, order = numbered["place"].to_numpy(), np.arange(beside.height)
    order[places] = places[numbered.select(pl.arg_sort_by(_ORDER)).to_series().to_numpy()]
    return beside[order]


def _beside(told: pl.DataFrame) -> np.ndarray | None:
    """In which order subjects' rows are beside each other; None when they are so already."""
    subject = _numbered(told)
    if (subject[1:] >= subject[:-1]).all():
        return None
    subject -= subject.min()
    bits = np.uint64((told.height - 1).bit_length())
    if int(subject.max()).bit_length() + int(bits) > _WORD:
        return np.argsort(subject, kind="stable")
    # A row's own number after its subject's: sorted as numbers, which is quicker than any order of places, and stable.
    subject <<= bits
    subject |= np.arange(told.height, dtype=np.uint64)
    subject.sort()
    subject &= (np.uint64(1) << bits) - np.uint64(1)
    return subject.view(np.int64)


def bounds_of(some: pl.DataFrame, parts: int) -> pl.DataFrame:
    """Subjects with which all parts but the first begin, so that each has about as many rows.

    Args:
        some: feed, subject_id of some of the rows, drawn evenly.
        parts: How many parts.

    Returns:
        feed, subject_id, ascending; of no rows the least there can be.
    """
    drawn = np.sort(_numbered(some)) if some.height else np.zeros(1, np.uint64)
    found = drawn[np.arange(1, parts) * drawn.size // parts]
    columns = {"feed": found >> np.uint64(32), "subject_id": found & np.uint64(2**32 - 1)}
    return pl.DataFrame(columns).cast({name: some.schema[name] for name in SUBJECT})


def _numbered(told: pl.DataFrame) -> np.ndarray:
    """Feed and subject as one number."""
    found = told["feed"].to_numpy().astype(np.uint64)
    found <<= np.uint64(32)
    found += told["subject_id"].to_numpy()
    return found


def cases(
    matched: pl.LazyFrame, spec: Cases, codebook: Codebook, *, is_in_order: bool = False
) -> pl.LazyFrame:
    """One row per case.

    Args:
        matched: Stored events with `slot` and `touchpoint`, any order.
        spec: Which kinds of events open, answer, resolve, close and reopen a case.
        codebook: What the stored codes stand for.
        is_in_order: Whether the events are as `in_order` returns them.

    Returns:
        feed, subject_id, touchpoint and channel (codes of the event that opened it), customer (the last
        one named),
        opened_at, first_response_at, resolved_at, closed_at, event_count, reopened_count,
        group_count, handoff_count, is_ping_pong, is_direct_ping_pong, first_group, last_group and
        the attributes (codes or numbers). Subjects whose opening was not recorded are left out.
        Unsorted.
    """
    told = (
        _of_subject(matched, spec, codebook, is_in_order=is_in_order)
        .with_columns(
            # Looked up once for all events: inside a group-by every group would do it again.
            *(_when(name, reached(spec, name, codebook)) for name in MILESTONES),
            *(there(codebook.column(name), codebook) for name in spec.attributes),
            __reopened=reached(spec, "reopened", codebook),
            customer=pl.when(pl.col("customer") > 0).then("customer"),
        )
        .cache()
    )
    opening = (
        told.filter(pl.col("__opened").is_not_null())
        .group_by(SUBJECT)
        .agg(pl.col("touchpoint", "channel").first())
    )
    kept = [codebook.column(name) for name in spec.attributes]
    kept_how = zip(kept, spec.attributes.values(), strict=True)
    lived = told.group_by(SUBJECT).agg(
        *(reduced(column, how, codebook).alias(column) for column, how in kept_how),
        customer=pl.col("customer").last(ignore_nulls=True),
        opened_at=pl.col("__opened").min(),
        first_response_at=pl.col("__responded").min(),
        resolved_at=pl.col("__resolved").max(),
        closed_at=pl.col("__closed").max(),
        reopened_count=pl.col("__reopened").sum().cast(pl.Int64),
        event_count=pl.len().cast(pl.Int64),
    )
    return (
        opening.join(lived, on=SUBJECT)
        .join(_passage(holdings(told)), on=SUBJECT, how="left")
        .with_columns(
            pl.col("customer", "group_count", "handoff_count", "first_group", "last_group").fill_null(0),
            pl.col("is_ping_pong", "is_direct_ping_pong").fill_null(value=False),
        )
        .with_columns(**hours())
    )


def handoffs(
    matched: pl.LazyFrame, spec: Cases, codebook: Codebook, *, is_in_order: bool = False
) -> pl.LazyFrame:
    """One row per handoff of a case between two groups; arguments as of `cases`.

    Returns:
        feed, subject_id, from_group, to_group (codes), occurred_at, slot, touchpoint, is_return
        (whether the second group had held the case before), held_microseconds (how long the first had
        held it).
    """
    held = holdings(_of_subject(matched, spec, codebook, is_in_order=is_in_order))
    same = (pl.col("feed") == pl.col("feed").shift()) & (pl.col("subject_id") == pl.col("subject_id").shift())
    handed = held.with_columns(
        from_group=pl.when(same).then(pl.col("actor_team").shift()),
        held_microseconds=(pl.col("occurred_at") - pl.col("occurred_at").shift()).dt.total_microseconds(),
    )
    return handed.filter(pl.col("from_group").is_not_null()).select(
        "feed",
        "subject_id",
        "from_group",
        pl.col("actor_team").alias("to_group"),
        "occurred_at",
        "slot",
        "touchpoint",
        "is_return",
        "held_microseconds",
    )


def holdings(told: pl.LazyFrame) -> pl.LazyFrame:
    """One row per uninterrupted holding of a case by a group, in the order of case and time.

    A sorted log and a look at the neighbour: window functions by case were measured 18 times slower.
    """
    grouped = told.filter(pl.col("actor_team") > 0)
    case, team = SUBJECT, "actor_team"
    changed = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in (*case, team))
    return grouped.filter(changed.fill_null(value=True)).with_columns(
        is_return=~pl.struct(*case, team).is_first_distinct()
    )


def _passage(held: pl.LazyFrame) -> pl.LazyFrame:
    second = pl.all_horizontal(pl.col(name) == pl.col(name).shift(2) for name in (*SUBJECT, "actor_team"))
    return (
        held.with_columns(direct=second.fill_null(value=False))
        .group_by(SUBJECT)
        .agg(
            group_count=(~pl.col("is_return")).sum().cast(pl.Int64),
            handoff_count=pl.len().cast(pl.Int64) - 1,
            is_ping_pong=pl.col("is_return").any(),
            is_direct_ping_pong=pl.col("direct").any(),
            first_group=pl.col("actor_team").first(),
            last_group=pl.col("actor_team").last(),
        )
    )


def _of_subject(matched: pl.LazyFrame, spec: Cases, codebook: Codebook, *, is_in_order: bool) -> pl.LazyFrame:
    needed = {*case_columns(spec, codebook), "touchpoint", "slot"}
    told = matched.filter(is_of_subject(spec, codebook))
    needed_of_it = told.select(sorted(needed))
    return needed_of_it if is_in_order else needed_of_it.sort(_ORDER)


def is_of_subject(spec: Cases, codebook: Codebook) -> pl.Expr:
    """Whether an event is about a subject that cases are made of."""
    is_subject = coded("subject_type", Condition(any_of=(spec.subject,)), codebook)
    return is_subject & (pl.col("subject_id") > 0)


def reached(spec: Cases, milestone: str, codebook: Codebook) -> pl.Expr:
    """Whether an event opens, answers, resolves, closes or reopens a case."""
    return coded("kind", Condition(any_of=getattr(spec, milestone)), codebook)


def _when(milestone: str, reached: pl.Expr) -> pl.Expr:
    return pl.when(reached).then("occurred_at").alias(f"__{milestone}")


def there(column: str, codebook: Codebook) -> pl.Expr:
    """An attribute's value where the event has one, else null."""
    value = pl.col(column)
    return pl.when(value > 0).then(value).alias(column) if codebook.is_coded(column) else value


def reduced(column: str, how: Reduction, codebook: Codebook) -> pl.Expr:
    """The one value of an attribute that is kept of those that a case's events have, in order of time."""
    value = pl.col(column)
    found = {
        "first": value.first(ignore_nulls=True),
        "last": value.last(ignore_nulls=True),
        "min": value.min(),
        "max": value.max(),
        "sum": added_up(value),
    }[how]
    return found.fill_null(0) if codebook.is_coded(column) else found


def added_up(value: pl.Expr) -> pl.Expr:
    """Numbers added up in whole thousandths, so that their order never matters; null where there is none."""
    total = in_units((value * STEPS).round().cast(pl.Int64).sum(), STEPS)
    return pl.when(value.count() > 0).then(total)


def hours() -> dict[str, pl.Expr]:
    """How long cases took, from their opening: hours."""
    ends = {"first_response": "first_response_at", "resolution": "resolved_at", "closing": "closed_at"}
    opened = pl.col("opened_at")
    return {
        f"{name}_hours": in_units((pl.col(end) - opened).dt.total_microseconds(), HOUR)
        for name, end in ends.items()
    }
