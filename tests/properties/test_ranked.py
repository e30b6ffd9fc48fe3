"""Sets of values by rank: what is looked up is what stands there when they are sorted, and marks tell sets apart."""

from itertools import accumulate

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.test_observations import SCORING, as_values, observations, rows
from transforms import gathered as gathering
from transforms import ranked
from transforms.cards import GRAINS, _keys_by_card
from transforms.gathered import gathered, quantiles
from transforms.groups import order_of
from transforms.observations import observed
from transforms.ranked import Ranked, marked, put_in_place
from transforms.valued import Values

values = st.integers(0, 5).map(float) | st.floats(allow_nan=False)
sets = st.lists(st.lists(values, max_size=30), max_size=6)


def laid_out(drawn: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Sets one after the other, and where each begins."""
    begins = np.array([0, *accumulate(len(one) for one in drawn)])
    # One of the two zeros, as observations have it.
    return np.array([value for one in drawn for value in one], dtype=np.float64) + 0.0, begins


@pytest.mark.parametrize("many", [0, ranked.MANY_SETS], ids=["size by size", "one by one"])
@pytest.mark.parametrize("few", [0, ranked.FEW], ids=["large", "few"])
@pytest.mark.parametrize("most", [1, ranked.SORTED], ids=["by rank", "by sorting"])
@settings(deadline=None)
@given(data=st.data(), drawn=sets)
def test_values_stand_at_their_ranks(
    most: int, few: int, many: int, data: st.DataObject, drawn: list[list[float]]
):
    found, begins = laid_out(drawn)
    ranks = [data.draw(st.sets(st.integers(0, len(one) - 1))) if one else set() for one in drawn]
    asked = np.full((max(map(len, ranks), default=0), len(drawn)), -1)
    for own, one in enumerate(ranks):
        asked[: len(one), own] = sorted(one)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranked, "SORTED", most)
        patched.setattr(ranked, "FEW", few)
        patched.setattr(ranked, "MANY_SETS", many)
        put_in_place(found, begins, asked)
    for begin, one, wanted in zip(begins, drawn, ranks, strict=False):
        assert [found[begin + rank] for rank in wanted] == [sorted(one)[rank] for rank in wanted]


@pytest.mark.parametrize("at_once", [3, ranked.AT_ONCE])
@settings(deadline=None)
@given(drawn=sets, seed=st.integers(0, 9))
def test_marks_add_up_over_parts_and_ask_for_no_order(at_once: int, drawn: list[list[float]], seed: int):
    found, _ = laid_out(drawn)
    shuffled = np.random.default_rng(seed).permutation(found)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranked, "AT_ONCE", at_once)
        parts = [mark_of(laid_out([one])[0]) for one in drawn]
        assert np.array(parts, dtype=np.uint64).sum(dtype=np.uint64) == mark_of(shuffled)


@settings(deadline=None)
@given(one=st.lists(values, max_size=8), other=st.lists(values, max_size=8))
def test_sets_have_one_mark_only_if_they_are_alike(one: list[float], other: list[float]):
    marks = [mark_of(laid_out([drawn])[0]) for drawn in (one, other)]
    assert (marks[0] == marks[1]) == (sorted(one) == sorted(other))


def mark_of(found: np.ndarray) -> np.uint64:
    return marked(found).sum(dtype=np.uint64)


@settings(deadline=None)
@given(numbers=st.lists(st.integers(0, 1 << 40) | st.integers(0, 3)))
def test_numbers_of_any_size_are_put_in_order_as_they_came(numbers: list[int]):
    drawn = np.array(numbers, dtype=np.int64)
    assert (
        order_of(drawn, int(drawn.max(initial=0)) + 1).tolist() == np.argsort(drawn, kind="stable").tolist()
    )


@settings(max_examples=30, deadline=None)
@given(observations, observations)
def test_what_was_known_before_gives_the_same_rows(before: list[tuple], drawn: list[tuple]):
    spans, wanted = SCORING.calendar.spans().collect(), tuple(GRAINS)

    def made(told: list[tuple], known: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame]:
        remembered = Ranked(known)
        found = observed(Values.of(as_values(told).collect()), spans, SCORING, remembered)
        return rows(
            quantiles(gathered(found, _keys_by_card(found, SCORING, wanted)), SCORING.metrics)
        ), remembered.used()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gathering, "KEPT_FROM", 2)
        _, known = made(before, None)
        assert made(drawn, known)[0].equals(made(drawn, None)[0])
        again, used = made(before, known)
    assert used.equals(known)
    assert again.equals(made(before, None)[0])
