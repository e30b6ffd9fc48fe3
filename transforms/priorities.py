"""What moves the score for the whole, held against where goals are set."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from string import Formatter
from typing import Any

import numpy as np
import polars as pl

from contracts.accountability import DriverAnalysis, Touchpoint
from contracts.events import ATTRIBUTE
from contracts.tables import DriverWeight, PriorityMismatch
from contracts.tables.drivers import MISMATCHES
from transforms.in_force import Standing
from transforms.methods.drivers import Drivers, priority_mismatch, weigh_drivers

SAMPLES = 400
"""Bootstrap samples an analysis."""
TOP = 5
"""A driver among the heaviest so many deserves a goal."""
_BASE, _EACH = 50, 8
_WEIGHT = "__weight"
_OUTCOME = "__outcome"
SAID: Mapping[str, str] = {
    "driver_without_goal": "{name} is number {rank} of what moves {whole}, and has no goal.",
    "goal_on_no_driver": "{name} has a goal, and moves {whole} no more than chance does.",
}
"""A mismatch in words."""


def driver_weights(cases: pl.DataFrame, standing: Standing) -> pl.DataFrame:
    """DriverWeight.

    Args:
        cases: FactCase with the attributes' columns.
        standing: The map as it stands now.
    """
    rows = [row for one in standing.atlas.drivers for row in _weighed(one, cases, standing)]
    return pl.DataFrame(rows, schema=DriverWeight.published_schema(), strict=False).sort(
        DriverWeight.primary_key()
    )


def priority_mismatches(weights: pl.LazyFrame, standing: Standing) -> pl.LazyFrame:
    """PriorityMismatch's rows, unsorted.

    Args:
        weights: DriverWeight.
        standing: The map as it stands now.
    """
    names = {one.id: one.name for one in standing.atlas.touchpoints}
    every = [PriorityMismatch.empty().lazy()]
    for analysis in standing.atlas.drivers:
        own = weights.filter(pl.col("analysis") == analysis.id, pl.col("weight").is_not_null())
        told = own.rename({"touchpoint_id": "driver"})
        found = priority_mismatch(told, told.filter("has_goal"), TOP).drop("weight", "rank")
        said = {
            "name": pl.col("touchpoint_id").replace_strict(names, return_dtype=pl.String),
            "rank": pl.col("rank"),
            "whole": pl.lit(analysis.name),
        }
        kinds = pl.col("mismatch")
        named = (
            found.rename({"driver": "touchpoint_id"})
            .join(own, on="touchpoint_id")
            .with_columns(
                kinds.cast(pl.Enum(MISMATCHES)),
                sentence=pl.coalesce(
                    pl.when(kinds == kind).then(_said(text, said)) for kind, text in SAID.items()
                ),
            )
        )
        every.append(named.select(PriorityMismatch.column_names()))
    return pl.concat(every)


def _said(text: str, said: Mapping[str, pl.Expr]) -> pl.Expr:
    """A text whose braces are filled in by row."""
    parts = list(Formatter().parse(text))
    plain = "".join(before + ("{}" if name else "") for before, name, _, _ in parts)
    return pl.format(plain, *(said[name] for _, name, _, _ in parts if name))


def _weighed(analysis: DriverAnalysis, cases: pl.DataFrame, standing: Standing) -> Iterator[dict[str, Any]]:
    until = standing.today
    since = until - timedelta(days=analysis.days)
    answers = _answers(analysis, cases, since, until, standing)
    names = list(analysis.touchpoints)
    used = [_OUTCOME, *names, *([_WEIGHT] if analysis.weight else [])]
    complete = answers.select(used).drop_nulls()
    found = refused = None
    if complete.height < _BASE + _EACH * len(names):
        refused = "too_few_cases" if answers.height else "no_cases"
    elif complete[_OUTCOME].n_unique() == 1:
        refused = "outcome_never_differs"
    else:
        found = _found(analysis, complete, [name for name in names if complete[name].n_unique() > 1])
        refused = None if found else "cannot_tell_apart"
    weights = _by_driver(found, names)
    touchpoints = {one.id: one for one in standing.atlas.touchpoints}
    order = sorted(names, key=lambda name: (-(weights[name]["weight"] or 0), name))
    for name, column in analysis.touchpoints.items():
        yield {
            "analysis": analysis.id,
            "touchpoint_id": name,
            "outcome": analysis.outcome,
            "attribute": column,
            "method": analysis.method,
            "window_start_date": since,
            "window_end_date": until,
            "n": complete.height,
            "excluded_count": answers.height - complete.height,
            "n_touchpoint": answers.select(_OUTCOME, name).drop_nulls().height,
            "r_squared": found.r_squared if found else None,
            **weights[name],
            "rank": order.index(name) + 1 if found else None,
            **_standing_of(touchpoints[name], standing),
            "refused": refused,
        }


def _standing_of(touchpoint: Touchpoint, standing: Standing) -> dict[str, Any]:
    held = standing.held.get(touchpoint.id)
    return {
        "is_priority": touchpoint.priority,
        "has_goal": bool(standing.goals(touchpoint)),
        "owner_id": held.person if held else None,
    }


def _answers(
    analysis: DriverAnalysis, cases: pl.DataFrame, since: date, until: date, standing: Standing
) -> pl.DataFrame:
    """One row a case of the window that has any of the scores, in an order of its own; what is no score is null."""
    zone = standing.atlas.zone
    start, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (since, until))
    columns = {_OUTCOME: analysis.outcome, **analysis.touchpoints}
    if analysis.weight:
        columns[_WEIGHT] = analysis.weight
    there = set(cases.columns)
    if not {ATTRIBUTE + name for name in columns.values()} <= there:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.Float64))
    low = -np.inf if analysis.low is None else analysis.low
    high = np.inf if analysis.high is None else analysis.high
    scores = [name for name in columns if name != _WEIGHT]
    is_told = {name: pl.col(name).is_between(low, high) for name in scores}
    if analysis.weight:
        # Nobody stands for fewer than none: such a case is left out, and counted as left out.
        is_told[_WEIGHT] = pl.col(_WEIGHT).is_between(0, np.inf, closed="left")
    return (
        cases.filter(pl.col("opened_at") >= start, pl.col("opened_at") < end)
        # The bootstrap draws rows by their place.
        .sort("feed", "case_id")
        .select(pl.col(ATTRIBUTE + name).cast(pl.Float64).alias(as_) for as_, name in columns.items())
        .with_columns(pl.when(holds).then(name) for name, holds in is_told.items())
        .filter(pl.any_horizontal(pl.col(scores).is_not_null()))
    )


def _found(analysis: DriverAnalysis, complete: pl.DataFrame, moving: Sequence[str]) -> Drivers | None:
    """The weights of the scores that differ at all; None when one of them cannot be told from the others."""
    scores = np.corrcoef(complete.select(moving).to_numpy(), rowvar=False)
    if not moving or np.linalg.matrix_rank(scores, tol=1e-9, hermitian=True) < len(moving):
        return None
    weight = _WEIGHT if analysis.weight else None
    return weigh_drivers(complete, _OUTCOME, moving, method=analysis.method, weight=weight, samples=SAMPLES)


def _by_driver(found: Drivers | None, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is known of every driver; one that never differs explains nothing."""
    nothing = dict.fromkeys(
        ("weight", "weight_low", "weight_high", "explained_share"), 0.0 if found else None
    )
    told = {name: {**nothing, "is_clear": False if found else None} for name in names}
    for row in found.weights.iter_rows(named=True) if found else ():
        told[row["driver"]] = {
            "weight": row["weight"],
            "weight_low": row["low"],
            "weight_high": row["high"],
            "explained_share": row["percent"] / 100,
            "is_clear": row["is_clear"],
        }
    return told
