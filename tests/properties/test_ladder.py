"""Laws of the ladder and the audit over generated maps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accountability import AccountabilityMap, Goal, Metric, Person, Review, Seat, Team, Touchpoint
from contracts.tables import DataTrust, FactEventUnmatched, FactHandoff
from contracts.tables.accountability import STEPS
from contracts.tenures import tenures
from transforms.apportion import apportioned
from transforms.audit import RULES, Evidence, audit
from transforms.in_force import Standing
from transforms.ladder import Climb, accountability_ladder, gap_waterfall
from transforms.lived import Lived

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
STAGES = ("entice", "enter", "engage", "extend", "exit")
VERDICTS = ("met", "missed", "cannot_tell", "no_data")


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=12))
def test_percents_add_up_and_none_is_off_by_a_point(counts: list[int]):
    percents, whole = apportioned(counts), sum(counts)
    assert sum(percents) == (100 if whole else 0)
    for count, percent in zip(counts, percents, strict=True):
        assert not whole or abs(percent * whole - count * 100) < whole
    assert [p for _, p in sorted(zip(counts, percents, strict=True))] == sorted(percents)


def a_climb(random: Random) -> Climb:
    """Any map with any events: each touchpoint lacks whatever chance takes away."""
    people = [Person(id=f"p{n}", name=random.choice(["Ada", "Everyone", "Ben"])) for n in range(3)]
    seats = [
        Seat.model_validate(
            {
                "id": f"s{n}",
                "name": f"Seat {n}",
                "team": "team",
                "holders": [{"vacant": True}] if random.random() < 0.2 else [{"person": f"p{n % 3}"}],
            }
        )
        for n in range(4)
    ]
    touchpoints = [_touchpoint(random, n) for n in range(random.randint(0, 8))]
    reviews = [
        Review.model_validate(
            {
                "id": f"r{n}",
                "name": "R",
                "every": "week",
                "chair": f"s{n}",
                "stages": random.sample(STAGES, 2),
            }
        )
        for n in range(random.randint(0, 3))
    ]
    metrics = [Metric.model_validate({"id": m, "name": m, "estimator": "csat"}) for m in ("m0", "m1")]
    atlas = AccountabilityMap(
        zone=ZoneInfo("UTC"),
        teams=(Team(id="team", name="Team"),),
        people=tuple(people),
        seats=tuple(seats),
        touchpoints=tuple(touchpoints),
        metrics=tuple(metrics),
        reviews=tuple(reviews),
    )
    pairs = [(one.id, metric) for one in touchpoints for metric in one.metrics]
    names = [*(one.id for one in touchpoints), "unmatched"]
    rows = [
        (name, random.randint(0, 9), random.randint(1, 10**6))
        for name in names
        for _ in range(random.randint(0, 4))
    ]
    recent = pl.DataFrame(
        rows, schema={"touchpoint_id": pl.String, "customer": pl.UInt32, "n": pl.Int64}, orient="row"
    )
    return Climb(
        standing=Standing(atlas, tenures(atlas), NOW),
        lived=Lived.told(recent),
        trusted=frozenset(pair for pair in pairs if random.random() < 0.7),
        why_not={},
        verdicts={pair: random.choice(VERDICTS) for pair in pairs},
    )


def _touchpoint(random: Random, number: int) -> Touchpoint:
    metrics = random.sample(["m0", "m1"], random.randint(0, 2))
    goals = [
        Goal.model_validate({"metric": m, "at_least": 0.5, "due": "2026-12-31", "why": "w"})
        for m in metrics
        if random.random() < 0.7
    ]
    owner = "nobody" if random.random() < 0.2 else f"s{random.randint(0, 3)}"
    return Touchpoint.model_validate(
        {
            "id": f"t{number}",
            "name": "T",
            "stage": random.choice(STAGES),
            "accountable": owner,
            "metrics": metrics,
            "goals": goals,
        }
    )


@pytest.mark.slow
def test_the_waterfall_adds_up_to_100_on_a_thousand_random_maps_and_drills_down_to_touchpoints():
    reached = set()
    for seed in range(1000):
        climb = a_climb(Random(seed))
        ladder = accountability_ladder(climb)
        waterfall = gap_waterfall(ladder, climb.lived, STAGES)
        reached |= set(ladder["first_fail"])
        for scope, rows in waterfall.group_by("scope_type", "scope_id"):
            inside = ladder if scope[0] == "company" else ladder.filter(stage_id=scope[1])
            events = inside["event_count"].sum()
            assert rows["percent"].sum() == (100 if events else 0), (seed, scope)
            assert rows["event_count"].sum() == events
            assert rows.sort("step_order")["remaining_percent"][-1] == 0
            below = dict(inside.group_by("first_fail").agg(pl.col("event_count").sum()).iter_rows())
            for step, count, percent in rows.select("step", "event_count", "percent").iter_rows():
                assert below.get(step, 0) == count, (seed, scope, step)
                assert not events or abs(percent - 100 * count / events) < 1
        assert ladder["event_count"].sum() == sum(climb.lived.events.values())
    assert reached == set(STEPS), "chance never made one of the gaps"


@pytest.mark.parametrize("seed", range(20))
def test_no_rung_is_reached_by_taking_something_away(seed: int):
    climb = a_climb(Random(seed))
    poorer = replace(climb, trusted=frozenset(sorted(climb.trusted)[1:]))
    joined = accountability_ladder(climb).join(
        accountability_ladder(poorer), on="touchpoint_id", suffix="_after"
    )
    assert (joined["rung_after"] <= joined["rung"]).all()


START = datetime(2025, 1, 1, tzinfo=UTC)
cuts = st.lists(st.integers(1, 400 * 86400), min_size=0, max_size=4, unique=True).map(sorted)


@st.composite
def planted(draw: st.DrawFn) -> tuple[AccountabilityMap, set[tuple]]:
    """A map whose seats fall vacant and whose touchpoints lose their seats at any second, and those gaps."""
    seats, vacant = [], {}
    for n in range(draw(st.integers(1, 3))):
        edges = [START, *(START + timedelta(seconds=s) for s in draw(cuts))]
        ends = [*edges[1:], None]
        first = draw(st.booleans())
        held = [
            {"from": start, "until": end} | ({"vacant": True} if (i + first) % 2 else {"person": "ada"})
            for i, (start, end) in enumerate(zip(edges, ends, strict=True))
        ]
        seats.append(Seat.model_validate({"id": f"s{n}", "name": "S", "team": "team", "holders": held}))
        vacant[f"s{n}"] = [(one["from"], one["until"]) for one in held if "vacant" in one]
    touchpoints, gaps = [], set()
    for n in range(draw(st.integers(1, 4))):
        edges = [START, *(START + timedelta(seconds=s) for s in draw(cuts))]
        seat = draw(st.sampled_from(seats)).id
        assigned = [
            {"from": start, "until": end} | ({"unowned": True} if i % 2 else {"seat": seat})
            for i, (start, end) in enumerate(zip(edges, [*edges[1:], None], strict=True))
        ]
        touchpoints.append(
            Touchpoint.model_validate(
                {"id": f"t{n}", "name": f"T{n}", "stage": "enter", "accountable": assigned}
            )
        )
        for one in assigned:
            span = (one["from"], one["until"])
            if "unowned" in one:
                gaps.add(("unowned_touchpoint", f"t{n}", *span))
            else:
                gaps |= {("vacant_seat", seat, *both) for gap in vacant[seat] if (both := _both(span, gap))}
    atlas = AccountabilityMap(
        zone=ZoneInfo("UTC"),
        teams=(Team(id="team", name="Team"),),
        people=(Person(id="ada", name="Ada"),),
        seats=tuple(seats),
        touchpoints=tuple(touchpoints),
    )
    return atlas, {gap for gap in gaps if gap[2] <= NOW}


def _both(one: tuple, other: tuple) -> tuple | None:
    start = max(one[0], other[0])
    ends = [end for end in (one[1], other[1]) if end is not None]
    end = min(ends) if ends else None
    return (start, end) if end is None or start < end else None


@settings(max_examples=200, deadline=None)
@given(planted())
def test_the_audit_finds_exactly_the_planted_gaps_to_the_second(made: tuple[AccountabilityMap, set[tuple]]):
    atlas, gaps = made
    held = tenures(atlas)
    looked_at = Evidence(
        atlas=atlas,
        tenures=held,
        now=NOW,
        observed=frozenset(),
        recent={},
        disowned=Lived(),
        unmatched=FactEventUnmatched.empty(),
        shadowed_by={},
        hits={},
        handoffs=FactHandoff.empty(),
        trust=DataTrust.empty(),
    )
    asked = [rule for rule in RULES if rule.name in ("unowned_touchpoint", "vacant_seat")]
    found = audit(looked_at, asked)
    assert not found.select("rule", "object_type", "object_id").is_duplicated().any()
    columns = found.select("rule", "object_id", "since_at", "until_at").iter_rows()
    assert {(rule, thing.partition("@")[0], since, until) for rule, thing, since, until in columns} == gaps
    for instant in {edge for gap in gaps for edge in gap[2:] if edge}:
        for touchpoint in atlas.touchpoints:
            there = [t for t in held if t.touchpoint == touchpoint.id and t.start <= instant < t.end]
            assert len(there) <= 1
