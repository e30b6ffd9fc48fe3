"""Why a value changed from one period to the next: rate, mix, portfolio, who answered, for everybody.

From the sums of every period, as scorecards are: an owner's value is that of the events credited to them.
So what they held for a part of a period counts by the share of its observations that was theirs.
"""

from collections.abc import Callable, Sequence

import polars as pl

from contracts.accountability import Metric
from contracts.tables import FactAttribution
from contracts.tables.facts import COMPONENTS, SCOPES
from transforms.credit import Scoring, named
from transforms.estimate import ABOVE, above_the_line, scale_of
from transforms.exact import summed
from transforms.methods.owner_change import PARTS, owner_change
from transforms.periods import PERIOD_COLUMNS, previous_start

ALL = "all"
COMPARISON = (*PERIOD_COLUMNS, "previous_start")
BY = (*COMPARISON, "scope_type", "scope", "metric")
_SCOPE = pl.Enum(SCOPES)
_SIDES = ("before", "after")
_PUBLISHED = ("month", "quarter")
_SHOWN = {
    "touchpoint": ("rate", "who_answered"),
    "owner": PARTS,
    "company": ("rate", "mix", "who_answered"),
}
"""Which parts a scope has: a touchpoint has no others to move to, and the company keeps its map."""


def change_parts(periods: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """Every change of a quotient between consecutive periods, split by touchpoint.

    Args:
        periods: What `cards.by_period` returned, collected.
        scoring: Map, slots, calendar.

    Returns:
        `BY` (numbers for names), touchpoint, `PARTS`, is_empty, value_before, value_after, change and
        unexplained, as `owner_change` says, in the metric's unit. Changes from or to a period without any
        observation are left out. Owners' are of every period, those of touchpoints and the company of the
        periods that FactAttribution has.
    """
    observed = _observed(periods, scoring.metrics).cache()
    pairs = _pairs(observed)
    theirs = _of_owners(observed, pairs, scoring)
    # Weeks are published by owner alone.
    shown = pairs.filter(_is_published(scoring))
    whole = _both(_whole(observed), shown, [*_CELL, "segment"]).with_columns(pl.col(_SUMS).cast(pl.Float64))
    held = {f"is_held_{side}": pl.lit(1.0) for side in _SIDES}
    scopes = [
        theirs.with_columns(scope_type=pl.lit("owner", dtype=_SCOPE), scope=pl.col("owner").cast(pl.UInt32)),
        whole.with_columns(
            **held, scope_type=pl.lit("touchpoint", dtype=_SCOPE), scope=pl.col("touchpoint").cast(pl.UInt32)
        ),
        whole.with_columns(
            **held, scope_type=pl.lit("company", dtype=_SCOPE), scope=pl.lit(0, dtype=pl.UInt32)
        ),
    ]
    columns = [*BY, "touchpoint", "segment", *_SUMS, "is_held_before", "is_held_after"]
    scale = _by_metric(scoring.metrics, scale_of, pl.Float64)
    cells = pl.concat(scope.select(columns) for scope in scopes).with_columns(
        pl.col(f"sum_{side}") * scale for side in _SIDES
    )
    return owner_change(cells, BY).filter(pl.col("change").is_not_null())


def fact_attribution(changes: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """FactAttribution's rows, unsorted.

    Args:
        changes: What `change_parts` returned, collected.
        scoring: Touchpoints and owners.
    """
    wanted = changes.filter(_is_published(scoring))
    each = wanted.with_columns(tenure=scoring.closing_owner()).with_columns(
        owner_id=pl.lit(scoring.slots.owners()["owner_id"]).gather(pl.col("tenure")),
        touchpoint_id=named("touchpoint", scoring.touchpoints),
    )
    told = each.unpivot(
        list(PARTS),
        index=[*BY, "touchpoint_id", "owner_id", "is_empty", "value_before", "value_after", "change"],
        variable_name="component",
        value_name="effect",
    )
    shown = pl.any_horizontal(
        (pl.col("scope_type") == scope) & pl.col("component").is_in(parts) for scope, parts in _SHOWN.items()
    )
    rest = wanted.group_by(BY).agg(
        pl.col("value_before", "value_after", "change").first(), effect=pl.col("unexplained").first()
    )
    unexplained = rest.with_columns(
        component=pl.lit("unexplained"),
        touchpoint_id=pl.lit(ALL),
        owner_id=pl.lit(None, dtype=pl.String),
        is_empty=pl.lit(value=False),
    )
    rows = pl.concat([told.filter(shown & pl.col("effect").is_not_null()), unexplained], how="diagonal")
    return rows.with_columns(
        pl.col("component").cast(pl.Enum(COMPONENTS)),
        scope_id=_scope_id(scoring),
        metric=named("metric", scoring.metric_ids),
        is_final=pl.col("period_end") <= scoring.calendar.today,
    ).select(FactAttribution.column_names())


def _is_published(scoring: Scoring) -> pl.Expr:
    """Whether a change is one of those that are told by touchpoint: split by it, weeks are noise."""
    recent = (pl.col("period") == "rolling_28d") & (pl.col("period_end") == scoring.calendar.today)
    return pl.col("period").is_in(_PUBLISHED) | recent


def owner_changes(changes: pl.LazyFrame) -> pl.LazyFrame:
    """Every owner's change by period and metric: the period's columns, owner, metric, change and its parts."""
    theirs = changes.filter(pl.col("scope_type") == "owner")
    known = pl.col("rate").is_not_null().any()
    return theirs.group_by(*PERIOD_COLUMNS, pl.col("scope").cast(pl.UInt32).alias("owner"), "metric").agg(
        pl.col("change").first(),
        *(pl.when(known).then(summed(pl.col(part))).alias(f"{part}_effect") for part in PARTS),
        unexplained_effect=pl.col("unexplained").first(),
    )


_CELL = (*COMPARISON, "touchpoint", "metric")
_SUMS = ("n_before", "sum_before", "n_after", "sum_after")


def _observed(periods: pl.LazyFrame, metrics: Sequence[Metric]) -> pl.LazyFrame:
    """What every quotient is made of, by who answered: period, touchpoint, owner, metric, segment, n, sum."""
    quotients = {n: metric for n, metric in enumerate(metrics, start=1) if metric.estimator in ABOVE}
    if not quotients:
        return periods.select(*PERIOD_COLUMNS, *_PARTS, "n", sum="good").clear()
    # Who answered is told apart by the first dimension that the metric is published by; of a rate nobody answers.
    whose = pl.any_horizontal(
        (pl.col("metric") == n)
        & (pl.col("dimension") == (1 if metric.by and metric.estimator != "rate" else 0))
        for n, metric in quotients.items()
    )
    kinds = _by_metric(metrics, lambda metric: metric.estimator, pl.String)
    return (
        periods.filter(whose, pl.col("touchpoint") > 0)
        .with_columns(sum=above_the_line(kinds))
        # What a rate counts may be where nothing of its exposure is.
        .filter((pl.col("n") > 0) | (pl.col("sum") != 0))
        .group_by(*PERIOD_COLUMNS, *_PARTS)
        .agg(pl.col("n", "sum").sum())
    )


_PARTS = ("touchpoint", "owner", "metric", "segment")


def _by_metric(metrics: Sequence[Metric], of: Callable[[Metric], object], kind: type[pl.DataType]) -> pl.Expr:
    values = pl.Series([None, *map(of, metrics)], dtype=kind)
    return pl.lit(values).gather(pl.col("metric"))


def _pairs(observed: pl.LazyFrame) -> pl.LazyFrame:
    """Consecutive periods in which anything was observed: the period's columns and previous_start."""
    every = observed.select(PERIOD_COLUMNS).unique()
    earlier = every.select("period", previous_start="period_start")
    return every.with_columns(previous_start=previous_start()).join(earlier, on=["period", "previous_start"])


def _both(observed: pl.LazyFrame, pairs: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Sums of both periods of every comparison side by side; zero where nothing was observed."""
    earlier = observed.drop("period_end").rename({"period_start": "previous_start"})
    sides = {
        "before": pairs.join(earlier, on=["period", "previous_start"]),
        "after": pairs.join(observed, on=list(PERIOD_COLUMNS)),
    }
    told = pl.concat(
        [frame.rename({"n": f"n_{side}", "sum": f"sum_{side}"}) for side, frame in sides.items()],
        how="diagonal",
    )
    return told.group_by(keys).agg(pl.col(_SUMS).sum())


def _whole(observed: pl.LazyFrame) -> pl.LazyFrame:
    """What was observed whoever was accountable."""
    return observed.group_by(*PERIOD_COLUMNS, "touchpoint", "metric", "segment").agg(pl.col("n", "sum").sum())


def _of_owners(observed: pl.LazyFrame, pairs: pl.LazyFrame, scoring: Scoring) -> pl.LazyFrame:
    """The cells of every owner and touchpoint of which they had anything in either period.

    Where the owner had a part of the touchpoint's observations, their own ones stand for it, blown up to
    its size; where they had none, all of them do. So sums over the owner's shares are the owner's.
    """
    own = _both(observed, pairs, [*_CELL, "owner", "segment"]).cache()
    whole = _both(_whole(observed), pairs, [*_CELL, "segment"]).cache()
    sums = pl.col(_SUMS).sum().name
    mine = own.group_by(*_CELL, "owner").agg(sums.prefix("own_"))
    total = whole.group_by(_CELL).agg(sums.prefix("all_"))
    shared = mine.join(total, on=list(_CELL)).with_columns(_held(scoring))
    cells = shared.join(whole, on=list(_CELL)).join(
        own, on=[*_CELL, "owner", "segment"], how="left", suffix="_own"
    )
    return cells.with_columns(
        pl.when(_has_own(side))
        .then(pl.col(f"{what}_{side}_own").fill_null(0) / pl.col(f"is_held_{side}"))
        .otherwise(pl.col(f"{what}_{side}").cast(pl.Float64))
        .alias(f"{what}_{side}")
        for side in _SIDES
        for what in ("n", "sum")
    )


def _has_own(side: str) -> pl.Expr:
    return (pl.col(f"own_n_{side}") > 0) | (pl.col(f"own_sum_{side}") != 0)


def _held(scoring: Scoring) -> list[pl.Expr]:
    """Which share of a touchpoint's observations was the owner's, and whether they held it when there was none.

    Where the owner had none, but something that a rate counts, it is the share of that.
    """
    owners = pl.Series([scoring.owners.index(owner) for owner in scoring.slots.owners()["owner_id"]])
    ends = {"before": "period_start", "after": "period_end"}
    return [
        pl.when((pl.col(f"own_n_{side}") == 0) & (pl.col(f"own_sum_{side}") != 0))
        .then(pl.col(f"own_sum_{side}") / pl.col(f"all_sum_{side}"))
        .when(pl.col(f"all_n_{side}") > 0)
        .then(pl.col(f"own_n_{side}") / pl.col(f"all_n_{side}"))
        .when(pl.col(f"all_sum_{side}") != 0)
        .then(0.0)
        .otherwise((pl.lit(owners).gather(scoring.closing_owner(end)) == pl.col("owner")).cast(pl.Float64))
        .alias(f"is_held_{side}")
        for side, end in ends.items()
    ]


def _scope_id(scoring: Scoring) -> pl.Expr:
    scope = pl.col("scope_type")
    touchpoints, owners = (
        pl.lit(pl.Series(names, dtype=pl.String)).gather(pl.col("scope"), null_on_oob=True)
        for names in (scoring.touchpoints, scoring.owners)
    )
    return (
        pl.when(scope == "touchpoint")
        .then(touchpoints)
        .when(scope == "owner")
        .then(owners)
        .otherwise(pl.lit(ALL))
    )
