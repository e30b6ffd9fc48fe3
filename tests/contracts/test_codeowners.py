"""The map's decision rights as a CODEOWNERS file."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from contracts.accountability import AccountabilityMap
from contracts.codeowners import codeowners
from contracts.documents import parse
from contracts.errors import MapError
from contracts.map_checks import assemble

NOW = datetime(2026, 5, 3, tzinfo=UTC)
PEOPLE = """
teams: [{id: team, name: Team}]
people:
  - {id: ada, name: Ada, account: "@ada"}
  - {id: ben, name: Ben, account: "@ben"}
  - {id: cleo, name: Cleo, account: "@acme/cleo"}
seats:
  - {id: one, name: One, team: team, holders: [{person: ada}]}
  - {id: two, name: Two, team: team, holders: [{person: ben}], covers: [{person: cleo, from: 2026-05-01, until: 2026-06-01}]}
  - {id: free, name: Free, team: team, holders: [{vacant: true}]}
"""
TOUCHPOINTS = """
touchpoints:
  - {id: NAME, name: Point, stage: enter, accountable: one}
"""
RIGHTS = """
decision_rights:
  - {what: owners, seats: one}
  - {what: goals, seats: two, touchpoints: shop}
  - {what: metrics, seats: [one, two]}
  - {what: rules, seats: free}
"""


def a_map(people: str = PEOPLE, rights: str = RIGHTS) -> tuple[AccountabilityMap, dict[str, tuple[str, ...]]]:
    texts = {
        "map/desk.yaml": TOUCHPOINTS.replace("NAME", "desk"),
        "map/metrics.yaml": "metrics: [{id: csat, name: Satisfied, estimator: csat}]",
        "map/people.yaml": people,
        "map/rights.yaml": rights,
        "map/rules.yaml": "rules: [{id: all_of_it, touchpoint: shop}]",
        "map/shop.yaml": TOUCHPOINTS.replace("NAME", "shop"),
    }
    documents = [parse(text, name) for name, text in texts.items()]
    files = {one.file: tuple(one.data) if isinstance(one.data, dict) else () for one in documents}
    return assemble(documents, ZoneInfo("UTC")), files


def lines(now: datetime = NOW, prefix: str = "/") -> list[str]:
    atlas, files = a_map()
    return codeowners(atlas, files, now, prefix).partition("\n\n")[2].splitlines()


def test_each_file_is_reviewed_by_whoever_may_change_what_stands_in_it():
    """ben holds seat two and cleo covers it: both may. The goals of `desk` are nobody's special right."""
    assert lines() == [
        "/map/desk.yaml @ada  # goals, owners",
        "/map/metrics.yaml @ada @acme/cleo @ben  # metrics",
        "/map/people.yaml @ada  # owners",
        "/map/rights.yaml @ada  # owners",
        "# /map/rules.yaml: nobody has a right to its rules",
        "/map/shop.yaml @acme/cleo @ben @ada  # goals, owners",
    ]


def test_a_cover_that_ended_reviews_no_more():
    assert lines(datetime(2026, 6, 1, tzinfo=UTC))[1] == "/map/metrics.yaml @ada @ben  # metrics"


def test_a_workspace_below_the_top_says_so():
    assert lines(prefix="/answerable/")[2] == "/answerable/map/people.yaml @ada  # owners"


def test_whoever_decides_needs_an_account():
    atlas, files = a_map(PEOPLE.replace(', account: "@ben"', ""))
    with pytest.raises(
        MapError,
        match=r"map/people\.yaml:5: 'ben' decides on .*, but has no 'account'\. Add it in quotes: account: \"@ben\"",
    ):
        codeowners(atlas, files, NOW)


def test_a_map_without_rights_says_how_to_write_one():
    atlas, files = a_map(rights="")
    with pytest.raises(MapError, match="has no 'decision_rights'"):
        codeowners(atlas, files, NOW)
