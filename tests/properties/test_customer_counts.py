"""Counts of customers give the tables that their spans give, and add up over customers."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accountability import CustomerGroup
from contracts.events import Codebook
from tests.conftest import THOROUGH
from tests.spec import customers_by_spans
from transforms import customer_counts
from transforms.customer_counts import (
    BY_PERSON,
    Counts,
    counted,
    counted_of_packs,
    of_nobody,
    order_of,
    together,
)
from transforms.customer_moves import MOVES, as_kept
from transforms.customers import (
    customer_spans,
    fact_customer_cohort,
    fact_customer_flow,
    fact_customer_loss,
)
from transforms.periods import Calendar

FIRST = date(2025, 11, 20)
DAYS = 120
BOOK = Codebook(
    {"attribute_why": ["price", "moved"], "attribute_where": ["north", "south"]},
    {"why": "text", "where": "text"},
)
groups = st.lists(
    st.builds(
        lambda left, lapse, basis, by: CustomerGroup.model_validate(
            {
                "id": "some",
                "name": "Some",
                "active": {"kind": "joined"},
                **({"left": {"kind": "left"}, "reason": "why"} if left or not lapse else {}),
                **({"lapse_days": lapse} if lapse else {}),
                **({"value": "amount", "value_basis": basis} if basis else {}),
                **({"by": "where"} if by else {}),
            }
        ),
        st.booleans(),
        st.none() | st.integers(1, 40) | st.just(3_000_000_000),
        st.sampled_from([None, "total", "first", "last"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=2,
)
only_lapsing = st.lists(
    st.builds(
        lambda lapse, has_value, by: CustomerGroup.model_validate(
            {"id": "some", "name": "Some", "active": {"kind": "joined"}, "lapse_days": lapse}
            | ({"value": "amount"} if has_value else {})
            | ({"by": "where"} if by else {})
        ),
        st.integers(1, 40),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=2,
)
either = groups | only_lapsing
"""Groups of any kind, and such that only lapse: of half of these nothing hangs on the order of a day's moves."""
move = st.tuples(
    st.integers(0, 1),
    st.integers(1, 5),
    st.integers(0, DAYS * 2),
    st.booleans(),
    st.integers(-5, 50),
    st.integers(0, 2),
)


def moves_of(drawn: list[tuple], known: list[CustomerGroup]) -> pl.DataFrame:
    """Moves of drawn events: group, customer, half days since the first, whether they leave, what it is worth, a code."""
    rows = []
    for group, customer, half_days, is_left, steps, code in drawn:
        number = group % len(known)
        leaves = is_left and bool(known[number].left)
        moment = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(hours=12 * half_days)
        worth = steps if known[number].value else 0
        told = (0, code, 0) if leaves else (worth, 0, code if known[number].by else 0)
        rows.append((number, customer, moment, moment.date(), leaves, *told))
    return pl.DataFrame(rows, schema=MOVES, orient="row")


def packs_of(moves: pl.DataFrame, known: list[CustomerGroup]) -> list[pl.DataFrame]:
    """Moves as they come from several packs, narrow each in its way."""
    kept = as_kept(moves, known)
    return [BY_PERSON.beside(BY_PERSON.narrow(one)) for one in (kept[::2], kept[1::2])]


def counts(moves: pl.DataFrame, known: list[CustomerGroup], rows: int = customer_counts.PIECE_ROWS) -> Counts:
    """Counts of moves of several packs, so many of them counted at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(customer_counts, "PIECE_ROWS", rows)
        return counted(order_of(known).together(packs_of(moves, known)), known)


def in_one_order(counted: Counts) -> dict[str, pl.DataFrame]:
    return {name: frame.sort(frame.columns) for name, frame in counted.items()}


@settings(max_examples=60 * THOROUGH, deadline=None)
@given(st.lists(move, max_size=30), either, st.integers(20, DAYS + 10), st.sampled_from([1, 2, 5, 1 << 17]))
def test_counts_give_the_tables_that_spans_give(
    drawn: list[tuple], known: list[CustomerGroup], until: int, rows: int
):
    today = FIRST + timedelta(days=until)
    moves = moves_of([one for one in drawn if one[2] <= 2 * until], known)
    # The first event of all may be nobody's move, or later than days that are reported on begin.
    calendar = Calendar(FIRST + timedelta(days=3), today)
    spans = customer_spans(moves.lazy(), known, today).collect().lazy()
    found = counts(moves, known, rows)
    pairs = [
        (
            fact_customer_flow(found, known, calendar, BOOK),
            customers_by_spans.fact_customer_flow(spans, known, calendar, BOOK),
        ),
        (
            fact_customer_loss(found, known, calendar, BOOK),
            customers_by_spans.fact_customer_loss(spans, known, calendar, BOOK),
        ),
        (
            fact_customer_cohort(found, known, calendar),
            customers_by_spans.fact_customer_cohort(moves.lazy(), known, calendar),
        ),
    ]
    for made, expected in pairs:
        one, other = made.collect(), expected.collect()
        assert one.schema == other.schema
        assert one.sort(one.columns).equals(other.sort(other.columns))


@settings(max_examples=40 * THOROUGH, deadline=None)
@given(
    st.lists(move, max_size=30),
    st.lists(move, max_size=10),
    either,
    st.sets(st.integers(1, 5)),
)
def test_what_some_customers_come_to_can_be_taken_off_and_put_back(
    drawn: list[tuple], more: list[tuple], known: list[CustomerGroup], touched: set[int]
):
    before, after = moves_of(drawn, known), moves_of([*drawn, *more], known)
    touched |= {customer for _, customer, *_ in more}
    of_them = pl.col("customer").is_in(sorted(touched))
    found = together(
        [
            counts(before, known),
            counts(before.filter(of_them), known),
            counts(after.filter(of_them), known),
        ],
        [1, -1, 1],
    )
    expected = in_one_order(counts(after, known))
    assert all(frame.equals(expected[name]) for name, frame in in_one_order(found).items())
    assert {name: frame.schema for name, frame in found.items()} == {
        name: frame.schema for name, frame in of_nobody().items()
    }


@settings(max_examples=30 * THOROUGH, deadline=None)
@given(st.lists(move, max_size=20), either, st.integers(0, 2**32))
def test_the_order_in_which_moves_come_does_not_matter(
    drawn: list[tuple], known: list[CustomerGroup], seed: int
):
    moves = moves_of(drawn, known)
    shuffled = moves.sample(fraction=1.0, shuffle=True, seed=seed)
    one, other = in_one_order(counts(moves, known)), in_one_order(counts(shuffled, known))
    assert all(frame.equals(other[name]) for name, frame in one.items())


@settings(max_examples=60 * THOROUGH, deadline=None)
@given(st.lists(move, max_size=30), either, st.integers(1, 6), st.sampled_from([1, 300, 1 << 16]))
def test_what_packs_tell_is_counted_as_it_is_and_some_customers_at_a_time(
    drawn: list[tuple], known: list[CustomerGroup], bound: int, places: int
):
    moves = moves_of(drawn, known)
    pieces = [
        [{one.name: one.to_physical().to_numpy() for one in pack} for pack in packs_of(some, known)]
        for some in (moves.filter(pl.col("customer") < bound), moves.filter(pl.col("customer") >= bound))
    ]
    with pytest.MonkeyPatch.context() as patched:
        # With fewer places than there are kinds of rows, those of a piece that are alike are found otherwise.
        patched.setattr(customer_counts, "PLACES_ALWAYS", places)
        found = in_one_order(counted_of_packs(pieces, known))
    expected = in_one_order(counts(moves, known))
    assert all(frame.equals(expected[name]) for name, frame in found.items())
