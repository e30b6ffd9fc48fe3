"""Events about one subject become one case; its passage through groups becomes handoffs."""

import polars as pl

from contracts.accountability import Cases, Reduction
from contracts.events import Codebook
from contracts.predicates import Condition
from transforms.beside import Order
from transforms.durations import HOUR, in_units
from transforms.predicates import coded

STEPS = 1000
"""Sums over a case's events are kept in so many parts of one."""

SUBJECT = ("feed", "subject_id")
BY_SUBJECT = Order(SUBJECT, ("occurred_at", "sequence", "landing", "row"))
"""How `cases` and `handoffs` take stored events."""
MILESTONES = ("opened", "responded", "resolved", "closed")
ENDS = ("resolved", "closed")


def case_columns(spec: Cases, codebook: Codebook) -> list[str]:
    """Stored columns that `cases` reads, besides slot and touchpoint."""
    attributes = [codebook.column(name) for name in spec.attributes]
    return [*BY_SUBJECT.columns, "kind", "actor_team", "channel", "customer", "subject_type", *attributes]


def cases(
    matched: pl.LazyFrame, spec: Cases, codebook: Codebook, *, is_in_order: bool = False
) -> pl.LazyFrame:
    """One row per case.

    Args:
        matched: Stored events with `slot` and `touchpoint`, any order.
        spec: Which kinds of events open, answer, resolve, close and reopen a case.
        codebook: What the stored codes stand for.
        is_in_order: Whether the events are in that order.

    Returns:
        feed, subject_id, touchpoint and channel (codes of the event that opened it), customer (the last
        one named),
        opened_at, first_response_at, resolved_at, closed_at, event_count, reopened_count,
        group_count, handoff_count, is_ping_pong, is_direct_ping_pong, first_group, last_group and
        the attributes (codes or numbers). What was reopened after it ended last has neither been resolved nor
        closed. Subjects whose opening was not recorded are left out. Unsorted.
    """
    told = (
        _of_subject(matched, spec, codebook, is_in_order=is_in_order)
        .with_columns(
            # Looked up once for all events: inside a group-by every group would do it again.
            *(_when(name, reached(spec, name, codebook)) for name in MILESTONES),
            *(there(codebook.column(name), codebook) for name in spec.attributes),
            __reopened=reached(spec, "reopened", codebook),
            __place=pl.int_range(pl.len()),
            customer=pl.when(pl.col("customer") > 0).then("customer"),
        )
        .cache()
    )
    opening = (
        told.filter(pl.col("__opened").is_not_null())
        .group_by(SUBJECT)
        .agg(pl.col("touchpoint", "channel").first())
    )
    place, is_end = pl.col("__place"), pl.any_horizontal(pl.col(f"__{name}").is_not_null() for name in ENDS)
    is_open_again = place.filter("__reopened").max() > place.filter(is_end).max()
    kept = [codebook.column(name) for name in spec.attributes]
    kept_how = zip(kept, spec.attributes.values(), strict=True)
    lived = told.group_by(SUBJECT).agg(
        *(reduced(column, how, codebook).alias(column) for column, how in kept_how),
        customer=pl.col("customer").last(ignore_nulls=True),
        opened_at=pl.col("__opened").min(),
        first_response_at=pl.col("__responded").min(),
        **{
            f"{name}_at": pl.when(~is_open_again.fill_null(value=False)).then(pl.col(f"__{name}").max())
            for name in ENDS
        },
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
    return needed_of_it if is_in_order else needed_of_it.sort(BY_SUBJECT.columns)


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
