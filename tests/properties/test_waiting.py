"""Curves of waiting cases without lists against those of lists, to the last bit; and both against Kaplan and Meier's."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.properties.test_observations import SCORING
from transforms import waiting
from transforms.estimate import CONFIDENCE, ONE_SIDED
from transforms.intervals import order_statistic_ranks, z_of
from transforms.methods.survival import kaplan_meier, survival_quantile
from transforms.quantiles import ascending, estimate_waiting, ranks_of, waiting_curves
from transforms.waiting import LOW, WAITED, waited

SHARES = [0.5, 0.9]

times = st.integers(0, 9).map(float) | st.floats(-10, 1e6)
case = st.tuples(times, st.booleans())
sets = st.lists(
    st.lists(case, min_size=1, max_size=60).filter(lambda one: not all(over for _, over in one)),
    min_size=1,
    max_size=5,
)


SIDES = {"value": CONFIDENCE, "bound": ONE_SIDED}


def by_the_method(drawn: list[list[tuple[float, bool]]], share: float) -> pl.DataFrame:
    """A quantile and its intervals as `transforms.methods` have them; a low end that these do not give, as `at_least`."""
    found = []
    for one in drawn:
        table = pl.LazyFrame(one, schema={"time": pl.Float64, "is_event": pl.Boolean}, orient="row")
        row = {}
        for prefix, confidence in SIDES.items():
            curve = kaplan_meier(table, [], z_of(confidence)).collect().lazy()
            told = survival_quantile(curve, [], share).collect().row(0, named=True)
            low = told["low"] if told["low"] is not None else at_least(one, share, confidence)
            row |= {"value": told["time"], f"{prefix}_low": low, f"{prefix}_high": told["high"]}
        found.append([row[name] for name in WAITED])
    return pl.DataFrame(found, schema=dict.fromkeys(WAITED, pl.Float64), orient="row")


def at_least(one: list[tuple[float, bool]], share: float, confidence: float) -> float | None:
    """What a quantile is not below: nobody has waited for less than until now."""
    ends = order_statistic_ranks(pl.lit(len(one)), share, confidence)
    rank = pl.select(ends[0]).item()
    return None if rank is None else sorted(value for value, _ in one)[rank]


def by_lists(drawn: list[list[tuple[float, bool]]]) -> list[pl.DataFrame]:
    """The median and the ninth decile of every set, as the readable way has them."""
    rows = [(number, 1, *case) for number, one in enumerate(drawn) for case in one]
    schema = {"row": pl.Int64, "metric": pl.UInt16, "value": pl.Float64, "is_event": pl.Boolean}
    values = pl.LazyFrame(rows, schema=schema, orient="row")
    made = estimate_waiting(waiting_curves(ascending(values), ["row"]), SCORING.metrics)
    return [one.collect().sort("row").select(WAITED) for one in made]


def by_arrays(drawn: list[list[tuple[float, bool]]]) -> list[pl.DataFrame]:
    """The same by the kernel."""
    halves = [
        tuple(np.array(sorted(value for value, over in one if over is wanted)) for wanted in (True, False))
        for one in drawn
    ]
    sizes = pl.DataFrame({"n": list(map(len, drawn))})
    ranks = [
        sizes.select(ranks_of(share)[name].fill_null(-1).alias(name) for name in LOW) for share in SHARES
    ]
    found = waited(halves, SHARES, np.stack([one.to_numpy() for one in ranks], axis=1))
    return [
        pl.DataFrame(dict(zip(WAITED, found[:, share].T, strict=True))).fill_nan(None) for share in (0, 1)
    ]


@pytest.mark.parametrize("at_once", [1, waiting.AT_ONCE])
@settings(max_examples=100, deadline=None)
@given(drawn=sets)
def test_times_are_those_of_the_lists(at_once: int, drawn: list[list[tuple[float, bool]]]):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "AT_ONCE", at_once)
        found = by_arrays(drawn)
    for one, other in zip(found, by_lists(drawn), strict=True):
        assert_frame_equal(one, other, check_exact=True)


@settings(max_examples=100, deadline=None)
@given(drawn=sets)
def test_times_are_those_of_the_method(drawn: list[list[tuple[float, bool]]]):
    for share, one in zip(SHARES, by_arrays(drawn), strict=True):
        assert_frame_equal(one, by_the_method(drawn, share), check_exact=True)


def test_times_of_many_cases_are_those_of_the_lists():
    draw = np.random.default_rng(7)
    drawn = [
        list(zip(draw.exponential(20, size).tolist(), (draw.random(size) > share).tolist(), strict=True))
        for size, share in ((20_000, 0.02), (5_000, 0.4), (900, 0.9))
    ]
    for one, other in zip(by_arrays(drawn), by_lists(drawn), strict=True):
        assert_frame_equal(one, other, check_exact=True)
