"""Laws of map diff: it says what recomputing everything under both maps says."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.accountability import AccountabilityMap
from contracts.documents import parse
from contracts.events import Codebook
from contracts.identity import Resolution
from contracts.map_change import MapChange
from contracts.map_checks import assemble
from contracts.tables import ScorecardTouchpoint
from contracts.tenures import tenures
from contracts.workspace import Workspace
from flows.whatif import map_change
from flows.workspace import LoadedWorkspace
from tests.conftest import THOROUGH
from tests.spec.pipeline import BERLIN, coded, score
from transforms.rules import rule_expression
from transforms.slots import credit_by_join
from warehouse.months import EventFile, Month

TODAY = "2026-03-02"
NOW = datetime.fromisoformat(f"{TODAY}T06:00").replace(tzinfo=BERLIN).astimezone(UTC)
PEOPLE = ("ada", "ben", "cleo")
POINTS = ("p0", "p1", "p2", "p3")
EVENT_METRICS, CASE_METRICS = ("csat", "basket"), ("reopened", "wait")
METRICS = """
- {id: csat, name: CSAT, estimator: csat}
- {id: basket, name: Basket, estimator: mean, value: amount, step: 0.01, unit: EUR}
- {id: reopened, name: Reopened, estimator: share, of: cases, good: {reopened_count: ">= 1"}, direction: lower}
- {id: wait, name: Wait, estimator: quantile, quantile: 0.5, of: cases, value: closing_hours}
"""

moments = st.builds(
    lambda day, hour, minute: f"2026-02-{day:02d}T{hour:02d}:{minute:02d}",
    st.integers(19, 28),
    st.sampled_from([0, 6, 9, 15, 21]),
    st.sampled_from([0, 30]),
)
"""Few enough for events and changes of hands to meet."""


@st.composite
def maps(draw: st.DrawFn) -> AccountabilityMap:
    """A map of up to four touchpoints and three seats that change hands at any hour, or are vacant."""
    seats = []
    for name in ("one", "two", "three"):
        cuts = sorted(draw(st.sets(moments, max_size=3)))
        holders = []
        for since, until in zip([None, *cuts], [*cuts, None], strict=True):
            person = draw(st.sampled_from([*PEOPLE, None]))
            one = {"person": person} if person else {"vacant": True}
            holders.append(one | {k: v for k, v in (("from", since), ("until", until)) if v})
        seats.append(
            {"id": name, "name": name, "team": draw(st.sampled_from(["a", "b"])), "holders": holders}
        )
    points = draw(st.permutations(draw(st.sampled_from([POINTS[:2], POINTS[:3], POINTS]))))
    touchpoints = [
        {
            "id": name,
            "name": name,
            "stage": "engage",
            "accountable": draw(st.sampled_from(["one", "two", "three", "nobody"])),
            "metrics": ["csat", "basket", "reopened", "wait"],
            "goals": [
                {
                    "metric": metric,
                    limit: draw(st.sampled_from(levels)),
                    "due": date(2026, 12, 31),
                    "why": "it matters",
                }
                for metric, limit, levels in (
                    ("csat", "at_least", [0.2, 0.5, 0.8]),
                    ("basket", "at_least", [10, 30]),
                    ("reopened", "at_most", [0.2, 0.7]),
                    ("wait", "at_most", [5, 100]),
                )
                if draw(st.booleans())
            ],
        }
        for name in points
    ]
    rules = [
        {
            "id": f"r{n}",
            "touchpoint": draw(st.sampled_from(points)),
            "channel": draw(st.sampled_from(["web", "app"])),
        }
        for n in range(draw(st.integers(1, 2)))
    ]
    rules += [{"id": "tickets", "touchpoint": draw(st.sampled_from(points)), "kind": "ticket.*"}]
    text = {
        "teams": [{"id": "a", "name": "A", "groups": ["Desk"]}, {"id": "b", "name": "B"}],
        "people": [{"id": person, "name": person} for person in PEOPLE],
        "seats": seats,
        "touchpoints": touchpoints,
        "rules": rules,
        "metrics": draw(st.permutations(yaml.safe_load(METRICS))),
        "cases": [{"subject": "ticket"}],
    }
    return assemble([parse(yaml.safe_dump(text), "map.yaml")], BERLIN)


answers = st.tuples(
    moments,
    st.just("survey.answered"),
    st.sampled_from(["web", "app", "store"]),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(0, 5000),
    st.integers(0, 6),
    st.none(),
)
steps = st.tuples(
    moments,
    st.sampled_from(["ticket.opened", "ticket.reopened", "ticket.closed"]),
    st.sampled_from(["web", "store"]),
    st.none(),
    st.none(),
    st.integers(0, 6),
    st.sampled_from(["T1", "T2", "T3"]),
)
histories = st.lists(st.one_of(answers, answers, steps), min_size=8, max_size=40)


def table(history: list[tuple]) -> pl.DataFrame:
    """Drawn events as texts, as a feed has them."""
    names = ("occurred_at", "kind", "channel", "score", "amount", "customer", "subject_id")
    rows = [
        (when.replace("T", " "), kind, channel, s and str(s), a and f"{a / 100:.2f}", str(who), subject)
        for when, kind, channel, s, a, who, subject in history
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.with_columns(
        subject_type=pl.when(pl.col("subject_id").is_not_null()).then(pl.lit("ticket")),
        sequence=pl.int_range(pl.len()).cast(pl.String),
    )


@dataclass
class DrawnState:
    """Drawn events as the store would hand them out, half of them in each of two parts."""

    stored: pl.DataFrame
    codebook: Codebook
    attributes: dict[str, str] = field(default_factory=dict)
    resolution: Resolution = field(default_factory=Resolution)
    identity: tuple = ()
    deliveries: tuple = ()

    @property
    def rows(self) -> int:
        return self.stored.height

    @property
    def months(self) -> dict[str, Month]:
        return {name: Month([EventFile("", self.rows, "", "")]) for name in ("0", "1")}

    def span(self) -> tuple[datetime, datetime]:
        return self.stored["occurred_at"].min(), self.stored["occurred_at"].max()

    def scan(self, columns: list[str], months: list[str]) -> pl.LazyFrame:
        parts = [self.stored[int(name) :: 2] for name in months]
        return pl.concat(parts).select(columns).lazy()


def workspace(atlas: AccountabilityMap) -> LoadedWorkspace:
    return LoadedWorkspace(Path(), Workspace(name="Drawn", timezone="Europe/Berlin"), atlas, (), NOW)


def change(
    history: pl.DataFrame, before: AccountabilityMap, after: AccountabilityMap, days: int
) -> MapChange:
    """What map diff says, partition by partition."""
    state = DrawnState(*coded(history))
    with patch("flows.passes.PARTITION_ROWS", 1):
        return map_change(workspace(before), workspace(after), state, days, ("old", "new"))


def credited(history: pl.DataFrame, atlas: AccountabilityMap) -> pl.DataFrame:
    """Every event's touchpoint and owner, rule by rule and by as-of join: the readable way."""
    stored, codebook = coded(history)
    names = [None, *(rule.touchpoint for rule in atlas.rules)]
    matched = stored.lazy().with_columns(rule_expression(atlas.rules, codebook)).collect()
    named = matched.with_columns(
        touchpoint_id=pl.Series([names[rule] for rule in matched["rule"]], dtype=pl.String)
    )
    joined = credit_by_join(named.lazy(), tenures(atlas)).collect()
    return joined.select(
        "customer", pl.col("touchpoint_id").fill_null("unmatched"), pl.col("owner_id").fill_null("nobody")
    )


def verdicts(history: pl.DataFrame, atlas: AccountabilityMap, metrics: tuple[str, ...]) -> dict[tuple, tuple]:
    """(owner or None, touchpoint, metric) to n and verdict, by scoring everything, and every part alone."""
    found = {}

    def note(owner: str | None, events: pl.DataFrame, touchpoint: str | None = None) -> None:
        card = score(events, atlas, TODAY).card(ScorecardTouchpoint, period="to_date")
        for row in card.iter_rows(named=True):
            if row["metric"] in metrics and touchpoint in (None, row["touchpoint_id"]):
                found[owner, row["touchpoint_id"], row["metric"]] = (row["n"], row["verdict"])

    if history.height:
        note(None, history)
    marked = history.hstack(credited(history, atlas).drop("customer"))
    for (owner, touchpoint), part in marked.group_by("owner_id", "touchpoint_id"):
        note(owner, part.drop("owner_id", "touchpoint_id"), touchpoint)
    return {key: judged for key, judged in found.items() if key[0] is None or judged[1] != "no_goal"}


def lately(history: pl.DataFrame, days: int) -> pl.DataFrame:
    first = date.fromisoformat(TODAY) - timedelta(days=days)
    return history.filter(pl.col("occurred_at").str.slice(0, 10) >= first.isoformat())


@settings(max_examples=12 * THOROUGH, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, maps(), maps(), st.sampled_from([4, 7, 90]))
def test_a_diff_says_what_recomputing_under_both_maps_says(
    history: list[tuple], before: AccountabilityMap, after: AccountabilityMap, days: int
):
    told = table(history)
    found = change(told, before, after, days)
    events = lately(told, days)
    one, other = credited(events, before), credited(events, after)
    moved = one["owner_id"] != other["owner_id"]
    assert (found.events, found.events_changed) == (events.height, moved.sum())
    known = one.filter(moved & (one["customer"] > 0))
    assert found.customers_changed == known["customer"].n_unique()
    elsewhere = one.select(old="touchpoint_id").hstack(other.select(new="touchpoint_id"))
    counted = elsewhere.filter(pl.col("old") != pl.col("new")).group_by("old", "new").len()
    assert {(r.touchpoint_before, r.touchpoint_after, r.events) for r in found.reroutes} == set(
        counted.iter_rows()
    )


@pytest.mark.slow
@settings(max_examples=12 * THOROUGH, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, maps(), maps(), st.sampled_from([5, 90]))
def test_verdicts_flip_exactly_where_the_scorecards_of_both_maps_differ(
    history: list[tuple], before: AccountabilityMap, after: AccountabilityMap, days: int
):
    told = table(history)
    # A part of a case's events is another case: cases are compared over the whole history, and whole.
    judged = (*EVENT_METRICS, *(CASE_METRICS if days > 30 else ()))
    old, new = (verdicts(lately(told, days), atlas, judged) for atlas in (before, after))
    expected = {
        key: (old.get(key), new.get(key))
        for key in {*old, *new}
        if word(old.get(key)) != word(new.get(key))
        if not {word(old.get(key)), word(new.get(key))} <= {None, "no_goal", "no_data"}
        if key[0] is None or key[2] in EVENT_METRICS
    }
    shown = {
        (flip.owner, flip.touchpoint, flip.metric): tuple(
            side and (side.n, side.verdict) for side in (flip.before, flip.after)
        )
        for flip in change(told, before, after, days).flips
        if flip.metric in (judged if flip.owner is None else EVENT_METRICS)
    }
    assert shown == expected


def word(judged: tuple[int, str] | None) -> str | None:
    return judged and judged[1]


@settings(max_examples=12 * THOROUGH, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, maps(), maps())
def test_no_map_makes_anybody_s_earned_score_change(
    history: list[tuple], before: AccountabilityMap, after: AccountabilityMap
):
    for change_ in change(table(history), before, after, 90).scores:
        assert change_.earned == 0
        if change_.before is not None and change_.after is not None:
            assert abs(change_.before + change_.portfolio - change_.after) < 1e-9


def test_a_median_that_too_many_open_cases_hide_is_no_value_of_a_diff():
    """One case came to its end soon, six wait for longer: half have not, unless it is taken for the last.

    But half take longer than its 12 hours: else all seven would once in 128 times.
    """
    steps = [
        *((f"2026-02-2{day}T06:00", "ticket.opened", f"T{day}") for day in range(2, 8)),
        ("2026-02-28T06:00", "ticket.opened", "T8"),
        ("2026-02-28T18:00", "ticket.closed", "T8"),
    ]
    told = table([(when, kind, "web", None, None, 1, subject) for when, kind, subject in steps])
    goal = [{"metric": "wait", "at_most": 5, "due": date(2026, 12, 31), "why": "it matters"}]
    one, other = (simple_map(goals) for goals in ([], goal))
    flips = [flip for _ in range(10) for flip in change(told, one, other, 90).flips]
    told = {(one.after.value, one.after.value_low, one.after.verdict) for one in flips if one.after}
    assert told == {(None, 12.0, "missed")}


def simple_map(goals: list[dict]) -> AccountabilityMap:
    """One touchpoint, to which every ticket belongs."""
    text = {
        "teams": [{"id": "a", "name": "A"}],
        "people": [{"id": "ada", "name": "ada"}],
        "seats": [{"id": "one", "name": "one", "team": "a", "holders": [{"person": "ada"}]}],
        "touchpoints": [
            {
                "id": "p0",
                "name": "p0",
                "stage": "engage",
                "accountable": "one",
                "metrics": ["wait"],
                "goals": goals,
            }
        ],
        "rules": [{"id": "tickets", "touchpoint": "p0", "kind": "ticket.*"}],
        "metrics": yaml.safe_load(METRICS),
        "cases": [{"subject": "ticket"}],
    }
    return assemble([parse(yaml.safe_dump(text), "map.yaml")], BERLIN)


@settings(max_examples=20, deadline=None)
@given(histories, maps())
def test_no_change_changes_nothing(history: list[tuple], atlas: AccountabilityMap):
    found = change(table(history), atlas, atlas, 90)
    assert not any((found.moves, found.reroutes, found.flips, found.loads, found.scores))
    assert found.events_changed == found.customers_changed == 0
    assert {gap.status for gap in found.gaps} <= {"known"}


@settings(max_examples=20, deadline=None)
@given(histories, maps())
def test_a_rename_changes_nothing_for_anybody(history: list[tuple], atlas: AccountabilityMap):
    renamed = replace(
        atlas,
        touchpoints=tuple(_renamed(point, "id") for point in atlas.touchpoints),
        rules=tuple(_renamed(rule, "touchpoint") for rule in atlas.rules),
    )
    with patch("transforms.whatif.renames", return_value={"p0": "p9"}):
        found = change(table(history), atlas, renamed, 90)
    assert found.renamed == {"p0": "p9"}
    assert not any((found.moves, found.reroutes, found.flips, found.loads, found.scores))
    assert {gap.status for gap in found.gaps} <= {"known"}


def _renamed(declared, name: str):
    return declared.model_copy(update={name: getattr(declared, name).replace("p0", "p9")})
