"""Where goals stand on their way, beside the evidence that their alerts rest on."""

from collections.abc import Sequence
from dataclasses import fields, replace

import polars as pl

from contracts.alerts import Evidence, Pace


def with_pace(found: Sequence[Evidence], pacing: pl.DataFrame) -> list[Evidence]:
    """Evidence with where its goal stood when its last week had ended, as FactGoalPacing says."""
    names = [one.name for one in fields(Pace)]
    ends = {one.last.end for one in found if one.last is not None}
    rows = pacing.filter(pl.col("period_end").is_in(list(ends)))
    known = {
        (touchpoint, metric, end): Pace(**dict(zip(names, told, strict=True)))
        for touchpoint, metric, end, *told in rows.select(
            "touchpoint_id", "metric", "period_end", *names
        ).iter_rows()
    }
    return [
        replace(one, pace=known.get((one.key.scope, one.key.metric, one.last.end), Pace()))
        if one.last
        else one
        for one in found
    ]
