"""Declared against observed: which group really resolves a touchpoint's cases.

It proposes, and never applies: who answers for a touchpoint is decided by people, in the map.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from contracts.accountability import AccountabilityMap, Touchpoint
from contracts.tables import ObservedAccountability
from transforms.in_force import Standing
from transforms.intervals import wilson, z_of

OBSERVED_DAYS = 91
RESOLVED_BY = ("touchpoint_id", "team_id", "last_group")
"""What of FactCase resolved cases are counted by: the team is the one that was accountable when they were opened."""


def observed_accountability(resolved: pl.DataFrame, standing: Standing) -> pl.DataFrame:
    """ObservedAccountability: resolved cases by the group that held them last.

    Args:
        resolved: `RESOLVED_BY`, n: how many cases of FactCase that were `resolved_lately` are alike.
        standing: The map as it stands now.
    """
    shares = _shares(_counted(resolved, standing))
    told = [_declared(row, standing) for row in shares.iter_rows(named=True)]
    others = pl.col("case_count") - pl.col("agreed_count")
    by_most = pl.struct((-others).alias("most"), "touchpoint_id", "observed_group")
    return (
        pl.DataFrame(told, schema={**shares.schema, **_DECLARED})
        .with_columns(disagreement_rank=pl.when(others > 0).then(by_most).rank("ordinal").cast(pl.Int64))
        .select(ObservedAccountability.column_names())
    )


def _counted(resolved: pl.DataFrame, standing: Standing) -> pl.DataFrame:
    """Cases by touchpoint and group, and those whose group belongs to the team accountable then."""
    team_of = {group: team.id for team in standing.atlas.teams for group in team.groups}
    known = sorted(touchpoint.id for touchpoint in standing.atlas.touchpoints)
    observed = pl.col("last_group").replace_strict(team_of, default=None, return_dtype=pl.String)
    agrees = pl.col("observed_team_id").eq_missing(pl.col("team_id"))
    grain = ("touchpoint_id", "observed_group", "observed_team_id")
    return (
        resolved.filter(pl.col("last_group").is_not_null(), pl.col("touchpoint_id").is_in(known))
        .with_columns(observed_group=pl.col("last_group"), observed_team_id=observed)
        .group_by(grain)
        .agg(case_count=pl.col("n").sum(), agreed_count=pl.col("n").filter(agrees).sum())
    )


def _shares(counted: pl.DataFrame) -> pl.DataFrame:
    """The same with the touchpoint's sums, the shares, and whether a group resolves most on evidence."""
    held, of_all = pl.col("case_count"), pl.col("case_count").sum().over("touchpoint_id")
    agreed, z = pl.col("agreed_count").sum().over("touchpoint_id"), z_of(0.95)
    low, high = wilson(agreed, of_all, z)
    return counted.with_columns(
        touchpoint_case_count=of_all,
        case_share=held / of_all,
        agreement_share=agreed / of_all,
        agreement_low=low,
        agreement_high=high,
        __resolves_most=wilson(held, of_all, z)[0] > 0.5,
    )


_DECLARED = {"declared_team_id": pl.String, "is_responsible": pl.Boolean, "proposed_edit": pl.String}


def resolved_lately(now: datetime) -> pl.Expr:
    """Whether a case is one of those that are looked at."""
    return pl.col("resolved_at") >= pl.lit(now).dt.offset_by(f"-{OBSERVED_DAYS}d")


def _declared(row: Mapping[str, Any], standing: Standing) -> dict[str, Any]:
    atlas = standing.atlas
    touchpoint = next(one for one in atlas.touchpoints if one.id == row["touchpoint_id"])
    tenure = standing.held.get(touchpoint.id)
    declared, observed = tenure.team if tenure else None, row["observed_team_id"]
    doing = {team for name in touchpoint.responsible if (team := standing.team_of(name))}
    return {
        **row,
        "declared_team_id": declared,
        "is_responsible": observed is not None and observed in doing,
        "proposed_edit": None
        if tenure is None or observed == declared
        else _edit(touchpoint, row, atlas, is_named=observed in doing),
    }


def _edit(
    touchpoint: Touchpoint, row: Mapping[str, Any], atlas: AccountabilityMap, *, is_named: bool
) -> str | None:
    where, group, team = (
        atlas.where("touchpoints", touchpoint.id),
        row["observed_group"],
        row["observed_team_id"],
    )
    said = f"{group} resolved {row['case_count']:,} of {row['touchpoint_case_count']:,} cases"
    if team is None:
        return f"{said}, but no team has that group: add {group!r} to a team's 'groups'."
    if row["__resolves_most"]:
        seats = " or ".join(seat.id for seat in atlas.seats if seat.team == team)
        return f"{where}: {said}: consider 'accountable: {seats or 'a seat of ' + team}'."
    if not is_named:
        named = ", ".join([*touchpoint.responsible, team])
        return f"{where}: {said}: consider 'responsible: [{named}]'."
    return None
