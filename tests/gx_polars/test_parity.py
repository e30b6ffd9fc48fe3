"""The engine against Great Expectations' own pandas engine, over generated frames and expectations.

`ANSWERABLE_PARITY_SEED=random` draws other cases every time and prints the seed; a number repeats them.
`ANSWERABLE_PARITY_FRAMES` says how many frames, each of which meets every supported expectation.
"""

import os
import secrets
import sys

import pytest

from contracts.gx_polars.support import supported
from tests.gx_polars.parity import (
    CASES,
    Draw,
    Engines,
    by_key,
    differences,
    disagreements,
    format_of,
    frame_of,
    suite_of,
    told_once,
)

FRAMES = int(os.environ.get("ANSWERABLE_PARITY_FRAMES", "42"))
SEED = os.environ.get("ANSWERABLE_PARITY_SEED", "20261122")
PARTS = 6


@pytest.fixture(scope="module")
def engines() -> Engines:
    return Engines()


@pytest.fixture(scope="module")
def first_seed() -> int:
    if SEED != "random":
        return int(SEED)
    drawn = secrets.randbelow(2**31)
    sys.stdout.write(f"\nANSWERABLE_PARITY_SEED={drawn}\n")
    return drawn


def test_every_supported_expectation_is_compared():
    assert sorted(CASES) == supported()


def test_two_thousand_cases_are_compared():
    assert FRAMES * len(CASES) >= 2_000 or "ANSWERABLE_PARITY_FRAMES" in os.environ


def test_configurations_that_are_made_once_give_what_those_that_are_made_anew_give(
    engines: Engines, first_seed: int
):
    draw = Draw(first_seed)
    frame, suite, wanted = frame_of(draw.random), suite_of(draw, len(CASES)), format_of(draw)
    for validate in (engines.pandas, engines.polars):
        anew = by_key(validate(frame, suite, wanted))
        with told_once():
            once = by_key(validate(frame, suite, wanted))
        assert once.keys() == anew.keys()
        assert [said for key in anew for said in disagreements(anew[key], once[key])] == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_eager_lazy_and_pandas_say_the_same(part: int, engines: Engines, first_seed: int):
    seeds = range(first_seed + part, first_seed + FRAMES, PARTS)
    found = [str(one) for seed in seeds for one in differences(engines, seed, len(CASES))]
    assert found == []
