"""Events about one subject become one case; its passage through groups becomes handoffs."""

import polars as pl

from contracts.accountability import Cases
from contracts.events import Codebook
from contracts.predicates import Condition
from transforms.predicates import coded

HOUR = 3_600_000_000
DAY = 24 * HOUR
_ORDER = ("feed", "subject_id", "occurred_at", "sequence", "landing", "row")


def case_columns(spec: Cases, codebook: Codebook) -> list[str]:
    """Stored columns that `cases` reads, besides slot and touchpoint."""
    attributes = [codebook.column(name) for name in spec.attributes]
    return [*_ORDER, "kind", "actor_team", "channel", "customer", "subject_type", *attributes]


def cases(matched: pl.LazyFrame, spec: Cases, codebook: Codebook) -> pl.LazyFrame:
    """One row per case.

    Args:
        matched: Stored events with `slot` and `touchpoint`, any order.
        spec: Which kinds of events open, answer, resolve, close and reopen a case.
        codebook: What the stored codes stand for.

    Returns:
        feed, subject_id, touchpoint, customer, channel (codes of the event that opened it),
        opened_at, first_response_at, resolved_at, closed_at, event_count, reopened_count,
        group_count, handoff_count, is_ping_pong, is_direct_ping_pong, first_group, last_group and
        the attributes (codes or numbers). Subjects whose opening was not recorded are left out.
        Unsorted.
    """
    told = _of_subject(matched, spec, codebook)
    opening, when = _is(spec.opened, codebook), pl.col("occurred_at")
    told_of = told.group_by("feed", "subject_id").agg(
        *(pl.col(name).filter(opening).first() for name in ("touchpoint", "channel")),
        customer=pl.col("customer").filter(pl.col("customer") > 0).first(),
        opened_at=when.filter(opening).min(),
        first_response_at=when.filter(_is(spec.responded, codebook)).min(),
        resolved_at=when.filter(_is(spec.resolved, codebook)).max(),
        closed_at=when.filter(_is(spec.closed, codebook)).max(),
        reopened_count=_is(spec.reopened, codebook).sum().cast(pl.Int64),
        event_count=pl.len().cast(pl.Int64),
        **{
            codebook.column(name): _reduced(codebook.column(name), how, codebook)
            for name, how in spec.attributes.items()
        },
    )
    return (
        told_of.filter(pl.col("opened_at").is_not_null())
        .join(_passage(holdings(told)), on=["feed", "subject_id"], how="left")
        .with_columns(
            pl.col("group_count", "handoff_count", "first_group", "last_group").fill_null(0),
            pl.col("is_ping_pong", "is_direct_ping_pong").fill_null(value=False),
            first_response_hours=_hours("first_response_at"),
            resolution_hours=_hours("resolved_at"),
            closing_hours=_hours("closed_at"),
        )
    )


def handoffs(matched: pl.LazyFrame, spec: Cases, codebook: Codebook) -> pl.LazyFrame:
    """One row per handoff of a case between two groups.

    Returns:
        feed, subject_id, from_group, to_group (codes), occurred_at, slot, touchpoint, is_return
        (whether the second group had held the case before), held_microseconds (how long the first had
        held it).
    """
    held = holdings(_of_subject(matched, spec, codebook))
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
    case, team = ("feed", "subject_id"), "actor_team"
    changed = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in (*case, team))
    return grouped.filter(changed.fill_null(value=True)).with_columns(
        is_return=~pl.struct(*case, team).is_first_distinct()
    )


def _passage(held: pl.LazyFrame) -> pl.LazyFrame:
    case = ["feed", "subject_id"]
    second = pl.all_horizontal(pl.col(name) == pl.col(name).shift(2) for name in (*case, "actor_team"))
    return (
        held.with_columns(direct=second.fill_null(value=False))
        .group_by(case)
        .agg(
            group_count=(~pl.col("is_return")).sum().cast(pl.Int64),
            handoff_count=pl.len().cast(pl.Int64) - 1,
            is_ping_pong=pl.col("is_return").any(),
            is_direct_ping_pong=pl.col("direct").any(),
            first_group=pl.col("actor_team").first(),
            last_group=pl.col("actor_team").last(),
        )
    )


def _of_subject(matched: pl.LazyFrame, spec: Cases, codebook: Codebook) -> pl.LazyFrame:
    is_subject = coded("subject_type", Condition(any_of=(spec.subject,)), codebook)
    return matched.filter(is_subject, pl.col("subject_id") > 0).sort(_ORDER)


def _is(kinds: tuple[str, ...], codebook: Codebook) -> pl.Expr:
    return coded("kind", Condition(any_of=kinds), codebook)


def _reduced(column: str, how: str, codebook: Codebook) -> pl.Expr:
    value = pl.col(column)
    there = value > 0 if codebook.is_coded(column) else value.is_not_null()
    kept = value.filter(there)
    found = {"first": kept.first(), "last": kept.last(), "min": kept.min(), "max": kept.max()}[how]
    return found.fill_null(0) if codebook.is_coded(column) else found


def _hours(column: str) -> pl.Expr:
    return (pl.col(column) - pl.col("opened_at")).dt.total_microseconds() / HOUR


def issue_flow(cases: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """Cases opened, resolved, closed and open, day by day.

    Args:
        cases: touchpoint_id, opened_at, resolved_at, closed_at, and opened_date, resolved_date,
            closed_date (local days, null where it has not come to that).
        days: date and ends_at (its last instant, UTC), every day to report.

    Returns:
        FactIssueFlow's columns for every touchpoint with a case, unsorted.
    """
    flow = [_counted(cases, name) for name in ("opened", "resolved", "closed")]
    grid = days.select("date").join(cases.select("touchpoint_id").unique(), how="cross")
    open_cases = _open_at_day_ends(cases, days)
    aged = open_cases.group_by("date", "touchpoint_id").agg(
        backlog_count=pl.len().cast(pl.Int64),
        unresolved_count=pl.col("is_unresolved").sum().cast(pl.Int64),
        age_p50_days=pl.col("age_days").quantile(0.5, "linear"),
        age_p90_days=pl.col("age_days").quantile(0.9, "linear"),
        age_max_days=pl.col("age_days").max(),
        over_30_days_count=(pl.col("age_days") > 30).sum().cast(pl.Int64),
    )
    joined = grid
    for part in (*flow, aged):
        joined = joined.join(part, on=["date", "touchpoint_id"], how="left")
    return joined.with_columns(pl.selectors.ends_with("_count").fill_null(0))


def _counted(cases: pl.LazyFrame, milestone: str) -> pl.LazyFrame:
    date = f"{milestone}_date"
    return (
        cases.filter(pl.col(date).is_not_null())
        .group_by(pl.col(date).alias("date"), "touchpoint_id")
        .agg(pl.len().cast(pl.Int64).alias(f"{milestone}_count"))
    )


def _open_at_day_ends(cases: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """date, touchpoint_id, age_days, is_unresolved: one row per case and day end at which it is open."""
    last = pl.col("date").max()
    lived = cases.join(days.select(last.alias("__last")), how="cross").with_columns(
        __until=pl.coalesce(pl.col("closed_date").dt.offset_by("-1d"), "__last")
    )
    spread = lived.with_columns(date=pl.date_ranges("opened_date", "__until")).explode(
        "date", empty_as_null=False
    )
    ended = spread.join(days, on="date").filter(
        pl.col("opened_at") < pl.col("ends_at"),
        pl.col("closed_at").is_null() | (pl.col("closed_at") >= pl.col("ends_at")),
    )
    age = (pl.col("ends_at") - pl.col("opened_at")).dt.total_microseconds() / DAY
    solved_at = pl.coalesce("resolved_at", "closed_at")
    return ended.select(
        "date",
        "touchpoint_id",
        age_days=age,
        is_unresolved=solved_at.is_null() | (solved_at >= pl.col("ends_at")),
    )
