"""Gaps between teams: work handed over while nobody answers, work done by others than the map says."""

from collections.abc import Iterator

import polars as pl

from transforms.audit.declare import Finding, about, rule
from transforms.audit.evidence import HANDOFF_DAYS, Evidence

HANDOFFS_MIN = 10
CASES_MIN = 20


@rule(
    "warning",
    "{one} and {other} handed each other work {handoffs:,} times in {days} days, {returns:,} times back to "
    "where it had been, and nobody answers for it.",
    "Name an integrator for the two teams.",
    "owners",
)
def handoff_without_integrator(evidence: Evidence) -> Iterator[Finding]:
    """Two teams that hand each other work while nobody answers for what happens in between."""
    between = {frozenset(one.between) for one in evidence.atlas.integrators}
    across = evidence.handoffs.filter(
        pl.col("from_team_id").is_not_null(),
        pl.col("to_team_id").is_not_null(),
        pl.col("from_team_id") != pl.col("to_team_id"),
    )
    pairs = across.with_columns(
        one=pl.min_horizontal("from_team_id", "to_team_id"),
        other=pl.max_horizontal("from_team_id", "to_team_id"),
    )
    summed = pairs.group_by("one", "other").agg(pl.col("handoff_count", "return_count").sum())
    for row in summed.sort("one", "other").iter_rows(named=True):
        if row["handoff_count"] < HANDOFFS_MIN or frozenset((row["one"], row["other"])) in between:
            continue
        held = evidence.standing.held.values()
        yield Finding(
            object_type="teams",
            object_id=f"{row['one']}+{row['other']}",
            said={
                "one": _team(evidence, row["one"]),
                "other": _team(evidence, row["other"]),
                "handoffs": row["handoff_count"],
                "returns": row["return_count"],
                "days": HANDOFF_DAYS,
            },
            stake=evidence.stake_of(
                {one.touchpoint for one in held if one.team in (row["one"], row["other"])}
            ),
        )


def _team(evidence: Evidence, name: str) -> str:
    return next(team.name for team in evidence.atlas.teams if team.id == name)


@rule(
    "warning",
    "{team} answers for {name}, but others resolved most of its cases: {others} ({share:.0%} agreement, "
    "{cases:,} cases in {days} days).",
    "Decide who should answer; see 'proposed_edit' in observed_accountability.",
    "owners",
)
def declared_not_observed(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint most of whose cases are resolved by another team than the one that answers for it."""
    enough = evidence.resolved_by.filter(
        pl.col("touchpoint_case_count") >= CASES_MIN, pl.col("agreement_high") < 0.5
    )
    resolved = enough.partition_by("touchpoint_id", as_dict=True)
    for touchpoint in evidence.living:
        rows = resolved.get((touchpoint.id,))
        team = evidence.standing.held[touchpoint.id].team
        if rows is None or team is None:
            continue
        others = rows.filter(pl.col("case_count") > pl.col("agreed_count"))
        others = others.sort("case_count", "observed_group", descending=[True, False])
        yield about(
            evidence,
            touchpoint,
            team=_team(evidence, team),
            others=", ".join(
                f"{g} {n:,}" for g, n in others.select("observed_group", "case_count").iter_rows()
            ),
            share=rows["agreement_share"][0],
            cases=rows["touchpoint_case_count"][0],
            days=HANDOFF_DAYS,
        )
