"""Laws of moves: a stretch is exactly where two maps name different holders."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.tenures import EARLIEST, LATEST, Tenure
from transforms.moves import settled_at, stretches

START = datetime(2026, 3, 20, tzinfo=UTC)


@st.composite
def timelines(draw: st.DrawFn) -> list[Tenure]:
    """Tenures of up to two touchpoints that may begin and end, without gap or overlap in between."""
    held = []
    for touchpoint in draw(st.sets(st.sampled_from(["t0", "t1"]))):
        cuts = [
            START + timedelta(hours=hour) for hour in sorted(draw(st.sets(st.integers(0, 30), max_size=4)))
        ]
        ends = [EARLIEST, *cuts, LATEST] if draw(st.booleans()) or len(cuts) < 2 else cuts
        for start, end in pairwise(ends):
            person = draw(st.sampled_from(["ada", "ben", None]))
            seat = draw(st.sampled_from(["one", "two"]))
            held.append(Tenure(touchpoint, start, end, "owned" if person else "vacant", seat, "team", person))
    return held


def holder(tenures: list[Tenure], touchpoint: str, moment: datetime) -> tuple | None:
    found = [t for t in tenures if t.touchpoint == touchpoint and t.start <= moment < t.end]
    return (found[0].person, found[0].seat) if found else None


@settings(max_examples=150, deadline=None)
@given(timelines(), timelines())
def test_a_moment_is_in_a_stretch_exactly_when_the_maps_differ(before: list[Tenure], after: list[Tenure]):
    found = stretches(before, after, {})
    edges = [START + timedelta(hours=hour) for hour in range(-1, 32)]
    for moment in (edge + timedelta(microseconds=off) for edge in edges for off in (-1, 0)):
        for touchpoint in ("t0", "t1"):
            inside = [s for s in found if s.touchpoint == touchpoint and s.start <= moment < s.end]
            old, new = holder(before, touchpoint, moment), holder(after, touchpoint, moment)
            assert bool(inside) == (old != new)
            if inside:
                assert ((s := inside[0]).before and (s.before.person, s.before.seat)) == old
                assert (s.after and (s.after.person, s.after.seat)) == new


@settings(max_examples=100, deadline=None)
@given(timelines(), timelines())
def test_once_settled_nothing_that_differs_for_good_is_still_to_begin(
    before: list[Tenure], after: list[Tenure]
):
    found = stretches(before, after, {})
    moment = settled_at(found, START)
    assert moment >= START
    assert all(stretch.start <= moment for stretch in found if stretch.end == LATEST)


@settings(max_examples=50, deadline=None)
@given(timelines())
def test_a_renamed_touchpoint_moves_nowhere(held: list[Tenure]):
    old = [Tenure("was_" + t.touchpoint, t.start, t.end, t.state, t.seat, t.team, t.person) for t in held]
    assert stretches(old, held, {"was_t0": "t0", "was_t1": "t1"}) == []
    assert {s.touchpoint for s in stretches(old, held, {})} == {t.touchpoint for t in (*old, *held)}
