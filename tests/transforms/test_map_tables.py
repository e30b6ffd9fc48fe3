"""The map as tables: covers, parts, former ids, the way to a goal."""

from datetime import UTC, date, datetime

from contracts.tables import BridgeAssignment, DimGoal, DimMetric, DimSeat, DimTeam, DimTouchpoint
from contracts.tenures import tenures
from tests.contracts.test_map import a_map
from transforms.map_tables import map_tables

WRITTEN = """
teams: [{id: team, name: Team, lead: two, kind: coordination}]
seats:
  - {id: one, name: One, team: team, holders: [{person: ada}], covers: [{person: cleo, from: 2026-05-01, until: 2026-05-08}]}
  - {id: two, name: Two, team: team, holders: [{person: ben}]}
touchpoints:
  - id: point
    name: Point
    stage: enter
    was: [spot, place]
    accountable: one
    metrics: [csat, ces]
    validated_by: ben
    validated_at: 2026-04-01
    validated_role: lead
    goals:
      - {metric: csat, at_least: 0.8, due: 2026-12-31, why: w, baseline: 0.7, baseline_at: 2026-01-01, path: linear,
         success_looks_like: s, what_is_in_it_for_us: u, set_by: ada, approved_by: two, counter_metric: ces}
      - {metric: ces, at_least: 0.7, due: 2026-12-31, why: w, path: [{by: 2026-06-01, level: 0.6}]}
  - {id: part, name: Part, parent: point, accountable: two, kind: coordination}
metrics:
  - {id: csat, name: Satisfied, estimator: csat}
  - {id: ces, name: Easy, estimator: ces}
"""
NOW = datetime(2026, 5, 3, tzinfo=UTC)
ATLAS = a_map(WRITTEN)
MADE = map_tables(ATLAS, tenures(ATLAS), NOW)


def test_a_cover_is_the_owner_and_the_holder_stands_beside_them():
    rows = MADE[BridgeAssignment].select("touchpoint_id", "owner_id", "holder_id", "is_cover").rows()
    assert rows == [
        ("point", "ada", "ada", False),
        ("point", "cleo", "ada", True),
        ("point", "ada", "ada", False),
        ("part", "ben", "ben", False),
    ]
    assert MADE[DimSeat].select("seat_id", "owner_id", "holder_id").rows() == [
        ("one", "cleo", "ada"),
        ("two", "ben", "ben"),
    ]
    assert MADE[DimTouchpoint]["owner_id"].to_list() == ["cleo", "ben"]


def test_parts_former_ids_and_the_front_lines_word_are_published():
    columns = (
        "touchpoint_id",
        "stage_id",
        "parent_id",
        "former_ids",
        "kind",
        "validated_by_id",
        "validated_role",
        "validated_date",
    )
    assert MADE[DimTouchpoint].select(columns).rows() == [
        ("point", "enter", None, "spot, place", "execution", "ben", "lead", date(2026, 4, 1)),
        ("part", "enter", "point", "", "coordination", None, None, None),
    ]
    assert MADE[DimTeam].select("lead_seat_id", "kind").rows() == [("two", "coordination")]


def test_a_goal_tells_where_it_began_and_which_way_it_goes():
    columns = (
        "metric",
        "baseline",
        "baseline_date",
        "path",
        "success_looks_like",
        "what_is_in_it_for_us",
        "set_by",
        "approved_by",
        "counter_metric",
    )
    assert MADE[DimGoal].select(columns).rows() == [
        ("csat", 0.7, date(2026, 1, 1), "linear", "s", "u", "ada", "two", "ces"),
        ("ces", None, None, "waypoints", None, None, None, None, None),
    ]


def test_a_metric_says_how_it_is_computed():
    written = """
metrics:
  - {id: easy, name: E, estimator: ces, version: 2}
  - {id: rate, name: R, estimator: rate, exposure: {kind: x}, per: 100}
  - {id: back, name: B, estimator: repeat, within_days: 7}
  - {id: slow, name: S, estimator: quantile, quantile: 0.9, of: cases, value: resolution_hours}
  - {id: done, name: D, estimator: quantile, quantile: 0.9, of: cases, value: resolution_hours, at: resolved}
"""
    atlas = a_map(written)
    made = map_tables(atlas, [], NOW)[DimMetric]
    assert dict(made.select("metric", "formula").iter_rows()) == {
        "easy": "answers from 5 up / answers from 1 to 7",
        "rate": "100 x events / exposure",
        "back": "followed by another within 7 days / old enough to be",
        "slow": "the 0.9 quantile of resolution_hours, open cases counted",
        "done": "the 0.9 quantile of resolution_hours",
    }
    assert made.filter(metric="easy")["metric_version"].to_list() == [2]
