"""Laws of the array kernels: they give what the polars expressions give, to the last bit."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from contracts.accountability import Metric
from contracts.events import INSTANT
from contracts.tenures import EARLIEST, LATEST, Tenure
from tests.properties.test_rules import CODEBOOK, SCHEMA, conditions, numbers, ordered_rules
from transforms import groups as of_groups
from transforms import pieces as of_pieces
from transforms import predicates as of_predicates
from transforms import slots as of_slots
from transforms import tallies as of_tallies
from transforms.behind import feeds_of_events
from transforms.groups import grouped, numbered
from transforms.match import Matched, Matcher, match
from transforms.measure import answers, count_events, measure_events, measure_rates, observed
from transforms.pieces import pieces
from transforms.rules import compile_rules, rule_expression
from transforms.slots import Slots, slots
from transforms.tallies import Tallies

FIRST = date(2026, 3, 20)
START = datetime(2026, 3, 20, tzinfo=UTC)
DAYS = 17  # in which summer time begins in Berlin, and ends on Lord Howe Island by half an hour
MICRO = timedelta(microseconds=1)
# Up to a value whose square is beyond what 64 bits hold.
values = st.one_of(numbers, st.sampled_from([-3.7, 8.9, 9.0, 123.456, -1e9, 4e9, 3.1e12, 9e14]))
spans = st.integers(-2 * 86_400_000_000, (DAYS + 3) * 86_400_000_000)
codes = {"feed": 2, "kind": 4, "channel": 3, "attribute_region": 3, "attribute_size": 3}
rows = st.lists(
    st.tuples(*(st.integers(0, most) for most in codes.values()), values, values, spans), max_size=60
)
EVENTS = {**SCHEMA, "since": pl.Int64}
dimensions = st.lists(st.sampled_from(["channel", "region", "feed"]), max_size=2, unique=True)


@st.composite
def metric(draw: st.DrawFn, number: int) -> Metric:
    kind = draw(
        st.sampled_from(["nps", "csat", "ces", "ces_1", "mean", "sum", "count", "share", "rate", "followed"])
    )
    said = {
        "id": f"m{number}",
        "name": "m",
        "estimator": kind,
        "where": draw(conditions),
        "by": draw(dimensions),
    }
    if kind in ("mean", "sum"):
        said |= {
            "value": draw(st.sampled_from(["score", "weight"])),
            "step": draw(st.sampled_from([0.001, 1])),
        }
        said |= draw(st.sampled_from([{}, {"low": 0, "high": 10}]))
    if kind == "share":
        said["good"] = draw(conditions.filter(bool))
    if kind == "rate":
        said |= {"exposure": draw(conditions.filter(bool)), "touchpoint": draw(st.sampled_from([None, "t"]))}
    if kind == "followed":
        said |= {"followed_by": draw(conditions.filter(bool)), "within_days": 7}
    return Metric.model_validate(said)


# What is held before it is worked out, how many codes have bits, how many bits there are, and places in an array.
tight = st.fixed_dictionaries(
    {},
    optional={
        "TOLD_ROWS": st.just(9),
        "CODES_MAX": st.just(4),
        "_BITS": st.just(2),
        "PLACES_ALWAYS": st.just(0),
    },
)
metrics = st.integers(0, 4).flatmap(lambda count: st.tuples(*(metric(number) for number in range(count))))


@st.composite
def days(draw: st.DrawFn) -> Slots:
    """Slots of some days in which a touchpoint changes hands at any microsecond, or of none at all."""
    edges = sorted(draw(st.sets(st.integers(0, DAYS * 86_400_000_000), max_size=6)))
    bounds = [EARLIEST, *(START + edge * MICRO for edge in edges), LATEST]
    held = [Tenure("t", since, until, "owned", "seat", "team", "ada") for since, until in pairwise(bounds)]
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe"]))
    return slots(held, ["t"], FIRST, FIRST + timedelta(days=draw(st.sampled_from([0, DAYS]))), ZoneInfo(zone))


def stored(drawn: Sequence[tuple]) -> pl.DataFrame:
    events = pl.DataFrame(drawn, schema=EVENTS, orient="row")
    since = pl.lit(START).cast(INSTANT) + pl.duration(microseconds=pl.col("since"))
    return events.select(pl.exclude("since"), occurred_at=since.cast(INSTANT))


def looked_up(matcher: Matcher, events: pl.DataFrame, cut: int = 7) -> list[Matched]:
    """What events match, piece by piece: read in two parts, of which one has one piece and the other several."""
    read = pl.concat([events[:cut], events[cut:]], rechunk=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(of_pieces, "PIECE_LEAST", 1)
        patched.setattr(of_pieces, "PIECE_ROWS", 11)
        return [matcher.looked_up(piece) for piece in pieces(read)]


@settings(max_examples=150, deadline=None)
@given(ordered_rules(), days(), rows)
def test_matching_finds_the_rule_and_the_slot_that_the_expressions_find(
    rules, times: Slots, drawn: list[tuple]
):
    edges = [
        (*[0] * len(codes), None, None, (int(at) - of_slots.microseconds(START)) + d)
        for at in times.starts
        for d in (-1, 0, 1)
    ]
    events = stored([*drawn, *edges])
    matcher = Matcher(compile_rules(rules, CODEBOOK), times, ["t"])
    expected = events.select(rule_expression(rules, CODEBOOK), slot=times.find(pl.col("occurred_at")))
    for engine in ("in-memory", "streaming"):
        found = match(events.lazy(), matcher).collect(engine=engine)
        assert_frame_equal(found.select("rule", "slot"), expected)
        assert found["touchpoint"].to_list() == [int(rule > 0) for rule in found["rule"]]
    assert_frame_equal(pl.concat(one.whole() for one in looked_up(matcher, events)), found)


@settings(max_examples=40, deadline=None)
@given(days(), st.lists(spans, max_size=30))
def test_a_coarse_grid_finds_the_same_slots(times: Slots, drawn: list[int]):
    at = pl.DataFrame({"at": [START + micro * MICRO for micro in drawn]}, schema={"at": INSTANT})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(of_slots, "CELLS_MAX", 4)
        found = at.select(slot=times.look_up(pl.col("at")))
    assert_frame_equal(found, at.select(slot=times.find(pl.col("at"))))


@settings(max_examples=250, deadline=None)
@given(ordered_rules(), metrics, days(), rows, tight)
def test_tallies_are_what_the_expressions_say(
    rules, wanted: tuple[Metric, ...], times: Slots, drawn: list[tuple], limits: dict[str, int]
):
    matcher = Matcher(compile_rules(rules, CODEBOOK), times, ["t"])
    matched = match(stored(drawn).lazy(), matcher).collect()
    with pytest.MonkeyPatch.context() as patched:
        for name, limit in limits.items():
            patched.setattr(of_predicates if name == "CODES_MAX" else of_tallies, name, limit)
        tally = Tallies(matcher, wanted, CODEBOOK).begin()
        for piece in looked_up(matcher, stored(drawn)):
            tally.add(piece)
        found = tally.tables()
    events = matched.lazy()
    rates = measure_rates(events, wanted, CODEBOOK, ["t"]).collect()
    found["sums"] = pl.concat([found["sums"], rates])
    expected = {
        "counted": count_events(events),
        "sums": measure_events(events, wanted, CODEBOOK, ["t"]),
        "answers": answers(events, wanted, CODEBOOK),
        "behind": feeds_of_events(events, wanted, CODEBOOK),
    }
    for name, plan in expected.items():
        assert_frame_equal(found[name], plan.collect(), check_row_order=False)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**9), st.sampled_from([0.001, 0.01, 0.05, 0.1]))
def test_a_value_on_the_edge_between_two_steps_counts_alone_as_it_does_among_others(half: int, step: float):
    value = round((2 * half + 1) * step / 2, 6)
    wanted = Metric.model_validate(
        {"id": "m", "name": "m", "estimator": "sum", "value": "score", "step": step}
    )
    among = pl.DataFrame({"score": [value, value, 1.0]}).select(observed(wanted, CODEBOOK))
    alone = pl.DataFrame({"score": [value]}).select(observed(wanted, CODEBOOK))
    assert alone.row(0) == among.row(0)


whole = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 2**32 - 1),
        st.integers(-(2**62), 2**62),
        st.integers(-(2**31), 2**31),
        st.sampled_from([-128, -1, 0, 127]),
    ),
    max_size=40,
)
WHOLE = {"a": pl.UInt16, "b": pl.UInt32, "c": pl.Int64, "v": pl.Int64, "d": pl.Int8}


@settings(max_examples=150, deadline=None)
@given(
    whole,
    st.sampled_from([["a"], ["a", "b"], ["c"], ["a", "c", "b"], ["c", "v"], ["d", "a"]]),
    st.sampled_from([0, 1 << 16]),
)
def test_groups_are_those_of_a_hash(drawn: list[tuple], by: list[str], always: int):
    frame = pl.DataFrame(drawn, schema=WHOLE, orient="row")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(of_groups, "PLACES_ALWAYS", always)
        groups = grouped({name: frame[name].to_numpy() for name in by})
    found = pl.DataFrame(
        {
            "n": groups.sizes.astype(np.int64),
            "v": groups.add_up(frame["v"].to_numpy()),
            **groups.keys,
            "squares": groups.squares(frame["v"].to_numpy()),
            "total": groups.total(frame["v"].to_numpy()),
            "large": groups.total(frame["c"].to_numpy()),
            "even": groups.add_up((frame["v"] % 2 == 0).to_numpy()),
        }
    )
    v = pl.col("v")
    wide = v.cast(pl.Int128)
    sums = {
        "n": pl.len().cast(pl.Int64),
        "v": v.sum(),
        "squares": (wide * wide).sum(),
        "total": wide.sum(),
        "large": pl.col("c").cast(pl.Int128).sum(),
        "even": (v % 2 == 0).sum().cast(pl.Int64),
    }
    expected = frame.group_by(by).agg(**{name: of for name, of in sums.items() if name not in by})
    assert_frame_equal(found, expected.sort(by), check_column_order=False)


@settings(max_examples=60, deadline=None)
@given(whole, st.sampled_from([0, 1 << 16]))
def test_the_combination_of_a_number_is_that_of_the_row_that_has_it(drawn: list[tuple], always: int):
    frame = pl.DataFrame(drawn, schema=WHOLE, orient="row").select("a", "c")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(of_groups, "PLACES_ALWAYS", always)
        number, combinations = numbered(frame)
    assert combinations[number].equals(frame)
    assert combinations.is_duplicated().sum() == 0
