"""Cases and handoffs with names for codes, as BI tools read them."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial

import polars as pl

from contracts.accountability import AccountabilityMap, Cases
from contracts.events import ATTRIBUTE, NUMBERS, Codebook
from contracts.tables import Column, FactHandoff
from transforms.ages import KnownAges
from transforms.backlog import Span, issue_flow
from transforms.credit import Credit
from transforms.durations import HOUR, in_units
from transforms.renewed import Renewed
from transforms.slots import Slots

ALL = "all"
FEW = 1 << 12
"""Up to so many texts of a column are put in order and numbered anew to become an Enum."""
_MILESTONES = ("opened", "resolved", "closed")


def with_slots(cases: pl.LazyFrame, slots: Slots) -> pl.LazyFrame:
    """Cases with slot_opened, slot_resolved and slot_closed; null where it has not come to that."""
    return cases.with_columns(
        pl.when(pl.col(f"{name}_at").is_not_null())
        .then(slots.look_up(pl.col(f"{name}_at").fill_null(datetime(1970, 1, 1, tzinfo=UTC))))
        .alias(f"slot_{name}")
        for name in _MILESTONES
    )


def attribute_columns(specs: Sequence[Cases], codebook: Codebook) -> dict[str, Column]:
    """The columns that the workspace's attributes add to FactCase."""
    kept = {name: how for spec in specs for name, how in spec.attributes.items()}
    return {
        ATTRIBUTE + name: Column(
            pl.String() if codebook.is_coded(codebook.column(name)) else pl.Float64(),
            f"{'Number' if name in NUMBERS else 'Attribute'} {name!r} of its events: the {how}{'' if how == 'sum' else ' value'}.",
        )
        for name, how in kept.items()
    }


def fact_case(
    cases: pl.LazyFrame,
    credit: Credit,
    codebook: Codebook,
    keys: Callable[[], pl.Series],
    columns: Collection[str] | None = None,
    *,
    as_few: bool = False,
) -> pl.LazyFrame:
    """FactCase's rows and the attributes' columns, unsorted.

    Args:
        cases: Cases with slots, codes for names.
        credit: Touchpoints, owners, teams.
        codebook: What the codes stand for.
        keys: Customers' keys, the first of them that of code 1; asked for when they are wanted.
        columns: Only these; all of them when absent. No other names are looked up.
        as_few: Whether texts of columns that have few are Enum, in the order of the texts: codes are all that is moved.
    """

    def named(name: str, texts: Sequence[str] | pl.Series) -> pl.Expr:
        values = pl.Series(texts, dtype=pl.String)
        if as_few and values.len() <= FEW:
            values = values.cast(pl.Enum(values.drop_nulls().unique().sort()))
        return pl.lit(values).gather(pl.col(name))

    def decoded(name: str, column: str) -> pl.Expr:
        return named(name, codebook.series(column))

    there = cases.collect_schema().names()
    texts = [ATTRIBUTE + name for name, kind in codebook.attributes.items() if kind == "text"]
    coded, known = ["feed", "channel", *(name for name in texts if name in there)], pl.col("customer") > 0
    named_by: dict[str, Callable[[], pl.Expr]] = {
        **{name: partial(decoded, name, name) for name in coded},
        "case_id": lambda: decoded("subject_id", "subject_id"),
        "first_group": lambda: decoded("first_group", "actor_team"),
        "last_group": lambda: decoded("last_group", "actor_team"),
        "customer_key": lambda: pl.lit(keys()).gather(pl.when(known).then(pl.col("customer") - 1)),
        "touchpoint_id": lambda: named("touchpoint", credit.touchpoints),
        "owner_id": lambda: named("owner", credit.owners),
        "team_id": lambda: named("team", credit.teams),
        **{ATTRIBUTE + name: partial(pl.col, name) for name in NUMBERS if name in there},
    }
    at_opening = credit.credited(cases.with_columns(slot=pl.col("slot_opened")))
    wanted = [name for name in named_by if columns is None or name in columns]
    every = at_opening.with_columns(named_by[name]().alias(name) for name in wanted)
    return every if columns is None else every.select(columns)


PASSED = ("date", "from_group", "to_group")
"""Keys of what `passed_on` counts."""


def passed_on(handoffs: pl.LazyFrame, credit: Credit) -> pl.LazyFrame:
    """Handoffs added up: date (Monday of the week), from_group, to_group, how many, of how many cases, returns, held.

    Cases add up as well, as long as all of a case's handoffs are among them.
    """
    dated = credit.credited(handoffs).with_columns(pl.col("date").dt.truncate("1w"))
    return dated.group_by(PASSED).agg(
        handoff_count=pl.len().cast(pl.Int64),
        case_count=pl.struct("feed", "subject_id").n_unique().cast(pl.Int64),
        return_count=pl.col("is_return").sum().cast(pl.Int64),
        held=pl.col("held_microseconds").sum(),
    )


def fact_handoff(passed: pl.LazyFrame, atlas: AccountabilityMap, codebook: Codebook) -> pl.LazyFrame:
    """FactHandoff's rows, unsorted: what `passed_on` counted, under names."""
    # Whole microseconds add up the same in any order.
    counted = passed.rename({"date": "week_start"}).with_columns(held_hours=in_units(pl.col("held"), HOUR))
    named_groups = counted.with_columns(
        from_group=_group("from_group", codebook), to_group=_group("to_group", codebook)
    )
    return _with_teams(named_groups, atlas).select(FactHandoff.column_names())


def _with_teams(handoffs: pl.LazyFrame, atlas: AccountabilityMap) -> pl.LazyFrame:
    team_of = {group: team.id for team in atlas.teams for group in team.groups}
    integrator = {frozenset(one.between): one.seat for one in atlas.integrators}
    pairs = pl.LazyFrame(
        [
            {"from_team_id": one, "to_team_id": other, "integrator_seat_id": seat}
            for pair, seat in integrator.items()
            for one in pair
            for other in pair - {one}
        ],
        schema=dict.fromkeys(("from_team_id", "to_team_id", "integrator_seat_id"), pl.String),
    )
    return handoffs.with_columns(
        from_team_id=pl.col("from_group").replace_strict(team_of, default=None, return_dtype=pl.String),
        to_team_id=pl.col("to_group").replace_strict(team_of, default=None, return_dtype=pl.String),
    ).join(pairs, on=["from_team_id", "to_team_id"], how="left")


def fact_issue_flow(
    cases: Renewed, names: Sequence[str], span: Span, known: KnownAges | None = None
) -> pl.DataFrame:
    """FactIssueFlow's rows: every touchpoint and `all` of them together; as of `issue_flow`."""
    return issue_flow(cases, span, names, ALL, known)


def _group(column: str, codebook: Codebook) -> pl.Expr:
    return pl.lit(codebook.series("actor_team")).gather(pl.col(column)).alias(column)
