"""`answerable ladder`."""

import json
import sys
from pathlib import Path
from typing import Literal

Step = Literal["unmatched", "owner", "metric", "goal", "review", "outcome", "none"]


def ladder(
    folder: Path = Path(), *, gap: Step | None = None, stage: str | None = None, json_: bool = False
) -> None:
    """How far accountability reaches, weighed by what customers lived through; down to touchpoints.

    Rungs: one named person, a measure to trust, a goal in force, a review, the goal met on evidence. Every
    event of the last 28 days stops at the first rung that its touchpoint lacks; the percents add up to 100.

    Example: answerable ladder shop --gap metric

    Args:
        folder: The workspace; it has to have been run.
        gap: Only touchpoints that lack this first.
        stage: Only this stage.
        json_: Print waterfall and touchpoints as JSON.
    """
    import polars as pl  # noqa: PLC0415 - loaded when needed

    from contracts.errors import MapError, did_you_mean  # noqa: PLC0415
    from flows.console import out  # noqa: PLC0415
    from flows.published import newest  # noqa: PLC0415
    from views.ladder import ladder_table, sentence, waterfall_table  # noqa: PLC0415

    published = newest(folder)
    waterfall, rungs = published.table("gap_waterfall"), published.table("accountability_ladder")
    stages = waterfall.filter(pl.col("scope_type") == "stage")["scope_id"].unique().to_list()
    if stage is not None and stage not in stages:
        raise MapError.at("--stage", f"{stage!r} is no stage of the release.", did_you_mean(stage, stages))
    wanted = rungs.filter(
        pl.lit(value=True) if gap is None else pl.col("first_fail") == gap,
        pl.lit(value=True) if stage is None else pl.col("stage_id") == stage,
    )
    kind = "company" if stage is None else "stage"
    scope = waterfall.filter(pl.col("scope_type") == kind, pl.col("scope_id") == (stage or "all"))
    if json_:
        told = {
            "sentence": sentence(waterfall),
            "waterfall": json.loads(scope.write_json()),
            "touchpoints": json.loads(wanted.write_json()),
        }
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
        return
    out.print(waterfall_table(scope))
    out.print(ladder_table(wanted))
    out.print(sentence(waterfall))
