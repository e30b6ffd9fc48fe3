"""Laws of the lifecycle, whatever weeks come and whatever people do."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.alerts import Week
from tests.spec.alerts import FIRST, Story, week

_VALUES = st.sampled_from(["0.60", "0.78", "0.85", "0.95"])
_POOLS = st.sampled_from([("0.60", "0.66"), ("0.74", "0.79"), ("0.78", "0.84"), ("0.82", "0.88")])
_WEEKS = st.one_of(
    st.just(("0", None, None, None)),
    st.builds(lambda value, pool: ("30", value, *pool), _VALUES, _POOLS),
)
_DEEDS = st.sampled_from([None, None, None, "owner ben", "owner nobody", "owner ann", "silence 9", "ack ann"])
_RUNS = st.lists(st.tuples(_WEEKS, _DEEDS, st.booleans()), min_size=1, max_size=24)


@settings(max_examples=300, deadline=None)
@given(_RUNS)
def test_missing_data_moves_nothing_and_tells_nobody(runs: list):
    for decision, told, missing, before in _played(runs):
        if missing:
            assert told == []
            assert decision.reason == "data_missing"
            assert (decision.after is None) == (before is None)
            assert decision.after is None or decision.after.state in ("no_data", "pending")


@settings(max_examples=300, deadline=None)
@given(_RUNS)
def test_an_alert_is_told_as_a_breach_at_most_once_whoever_owns_it(runs: list):
    breaches: dict[str, int] = {}
    for decision, told, _, _ in _played(runs):
        if decision.after is not None:
            count = sum(one.startswith("breach") for one in told)
            breaches[decision.after.id] = breaches.get(decision.after.id, 0) + count
    assert all(count <= 1 for count in breaches.values())


@settings(max_examples=300, deadline=None)
@given(_RUNS)
def test_it_fires_on_evidence_only_and_ends_only_after_three_windows_at_the_goal(runs: list):
    weeks: list[Week] = []
    for (decision, _, missing, before), (shape, _, _) in zip(_played(runs), runs, strict=True):
        weeks.append(week(FIRST, *shape))
        after = decision.after
        if after is not None and (before is None or before.fired_at is None) and after.fired_at is not None:
            assert weeks[-1].is_breach
            assert not missing
        if after is not None and after.state == "resolved":
            observed = [one for one in weeks if one.has_data][-3:]
            assert [one.is_pool_below for one in observed] == [False] * 3


@settings(max_examples=300, deadline=None)
@given(_RUNS)
def test_nobody_is_told_twice_of_the_same_and_everybody_told_hears_of_the_end(runs: list):
    story_told: list[str] = []
    for decision, told, _, _ in _played(runs):
        story_told += told
        if decision.after is not None and decision.after.state == "resolved":
            ended = {one.strip("[]").split()[1] for one in told}
            assert ended == {one.person for one in decision.after.told}
            rising = [one.strip("[]") for one in story_told if "resolved" not in one]
            assert len(rising) == len(set(rising))
            story_told = []


def _played(runs: list):
    """Every run: what was decided, what was told, whether data was missing, the alert before."""
    story = Story()
    weeks: list[Week] = []
    found = []
    for place, (shape, deed, late) in enumerate(runs):
        end = FIRST + timedelta(weeks=place)
        story.now = datetime.combine(end, time(9), UTC)
        weeks.append(week(end, *shape))
        if deed != "ack ann" or (story.episode is not None and story.episode.fired_at is not None):
            story.does(deed)
        before = story.episode
        decision, told = story.decide(weeks, ("survey",) if late else ())
        missing = late or not weeks[-1].has_data
        found.append((decision, told, missing, before))
        kept = story.episode
        if kept is not None:
            assert story.decide(weeks, ("survey",) if late else ())[1] == [], "a second run tells nothing"
    return found
