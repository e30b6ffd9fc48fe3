"""What every accountable person carries, and where nobody could step in."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from contracts.accountability import Touchpoint
from contracts.tables import PersonLoad
from contracts.tenures import Tenure
from contracts.workspace import Limits
from transforms.in_force import Standing
from transforms.lived import Lived


def person_load(standing: Standing, lived: Lived, missed: Mapping[str, int], limits: Limits) -> pl.DataFrame:
    """PersonLoad: one row for everybody who holds or covers a seat now.

    Args:
        standing: The map as it stands now.
        lived: Events and customers of the last 28 days.
        missed: Goals missed over 28 days, by touchpoint.
        limits: How much is too much.
    """
    by_person: dict[str, list[Touchpoint]] = {
        person: [] for person in standing.atlas_order(set(filter(None, standing.answering.values())))
    }
    for touchpoint in standing.atlas.touchpoints:
        tenure = standing.held.get(touchpoint.id)
        if tenure and tenure.person:
            by_person[tenure.person].append(touchpoint)
    rows = [_person(standing, person, owned, missed, limits) for person, owned in by_person.items()]
    matched = sum(lived.events.get(one.id, 0) for one in standing.atlas.touchpoints)
    return pl.DataFrame(_with_stakes(rows, by_person, lived, matched), schema=PersonLoad.published_schema())


def is_alone(standing: Standing, touchpoint: Touchpoint, tenure: Tenure) -> bool:
    """Whether nobody could step in for the accountable person of a touchpoint.

    Somebody can when the map names a responsible seat, team or person other than the accountable one, or
    a cover or delegate of the seat now.
    """
    # A seat stands for whoever answers in it now, if anybody does; teams and people for themselves.
    others = {standing.answering.get(name, name) for name in touchpoint.responsible} - {tenure.person, None}
    return not others and not (standing.stand_ins(tenure.seat) - {tenure.person})


def _person(
    standing: Standing, person: str, owned: Sequence[Touchpoint], missed: Mapping[str, int], limits: Limits
) -> dict[str, Any]:
    alone = [t for t in owned if is_alone(standing, t, standing.held[t.id])]
    return {
        "owner_id": person,
        "owner_name": standing.people[person],
        "seat_count": sum(one == person for one in standing.answering.values()),
        "touchpoint_count": len(owned),
        "goals_missed_count": sum(missed.get(touchpoint.id, 0) for touchpoint in owned),
        "alone_count": len(alone),
        "alone_at": ", ".join(touchpoint.id for touchpoint in alone) or None,
        "is_over_limit": len(owned) > limits.touchpoints_per_person or len(alone) > limits.alone_per_person,
    }


def _with_stakes(
    rows: Sequence[dict[str, Any]], by_person: Mapping[str, Sequence[Touchpoint]], lived: Lived, matched: int
) -> list[dict[str, Any]]:
    stakes = {person: lived.stake(one.id for one in owned) for person, owned in by_person.items()}
    return [
        {
            **row,
            "event_28d_count": stakes[row["owner_id"]][0],
            "customer_28d_count": stakes[row["owner_id"]][1],
            "event_28d_share": stakes[row["owner_id"]][0] / matched if matched else None,
        }
        for row in rows
    ]
