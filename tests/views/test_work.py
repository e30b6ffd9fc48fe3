"""What people carry and who really does the work: parts of the map are called by their names."""

import polars as pl
from rich.console import Console

from contracts.tables import ObservedAccountability
from views.units import plural
from views.work import agreement_table, disagreement_table


def printed(table: object) -> str:
    console = Console(width=160)
    with console.capture() as said:
        console.print(table)
    return said.get()


def test_touchpoints_and_teams_have_their_names_beside_the_groups_of_feeds():
    schema = ObservedAccountability.published_schema()
    told = {
        "touchpoint_id": "desk",
        "declared_team_id": "front",
        "observed_group": "Lab",
        "case_count": 9,
        "agreed_count": 2,
        "touchpoint_case_count": 9,
        "agreement_share": 0.2,
        "agreement_low": 0.1,
        "agreement_high": 0.4,
        "case_share": 0.8,
        "disagreement_rank": 1,
    }
    resolved = pl.DataFrame([{name: told.get(name) for name in schema}], schema=schema)
    called = {"desk": "Ask the help desk", "front": "Front desk"}
    for table in (agreement_table(resolved, called), disagreement_table(resolved, 5, called)):
        assert "Ask the help desk" in printed(table)
    assert "Front desk" in printed(agreement_table(resolved, called))


def test_one_is_not_several():
    assert [plural(count, "finding") for count in (0, 1, 1200)] == [
        "0 findings",
        "1 finding",
        "1,200 findings",
    ]
    assert plural(1, "delivery", "deliveries") == "1 delivery"
    assert plural(2, "delivery", "deliveries") == "2 deliveries"
