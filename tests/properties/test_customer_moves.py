"""Laws of who becomes a customer: found piece by piece, by codes, are the events that the expressions find."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from contracts.accountability import CustomerGroup
from tests.properties.test_rules import CODEBOOK, bounds
from tests.properties.test_tallies import days, looked_up, rows, stored
from transforms import customer_moves as of_moves
from transforms import predicates
from transforms.customer_moves import Finders, as_kept, customer_moves
from transforms.match import Matcher, match
from transforms.rules import compile_rules
from transforms.slots import Slots

values = {
    "kind": st.lists(st.sampled_from(["crm.*", "*.sent", "survey.answered"]), min_size=1, max_size=2),
    "channel": st.lists(st.sampled_from(["web", "app", "fax", None]), min_size=1, max_size=2),
    "score": bounds,
    "region": st.sampled_from(["north", ["south", None], None, "west", 3]),
    "attribute_region": st.sampled_from(["north", ["north", "south"]]),  # the same column by its other name
    "size": st.sampled_from([">= 2", "< 2", "1", [2, 10]]),
}
asked = (
    st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=2, unique=True)
    .map(sorted)
    .flatmap(lambda some: st.fixed_dictionaries({name: values[name] for name in some}))
)


@st.composite
def groups(draw: st.DrawFn) -> list[CustomerGroup]:
    made = []
    for number in range(draw(st.integers(0, 3))):
        leaves = draw(st.booleans())
        said = {"id": f"g{number}", "name": "Group", "active": draw(asked), "lapse_days": 30}
        said |= {"left": draw(asked), "reason": "region"} if leaves else {}
        said |= draw(st.sampled_from([{}, {"value": "weight"}, {"value": "score", "by": "size"}]))
        made.append(CustomerGroup.model_validate(said))
    return made


@settings(max_examples=150, deadline=None)
@given(groups(), days(), rows, st.lists(st.integers(0, 4), min_size=60, max_size=60), st.booleans())
def test_found_by_codes_are_the_moves_that_the_expressions_find(
    known: list[CustomerGroup], times: Slots, drawn: list[tuple], whose: list[int], has_few: bool
):
    events = stored(drawn).with_columns(customer=pl.Series(whose[: len(drawn)], dtype=pl.UInt32))
    matcher = Matcher(compile_rules([], CODEBOOK), times, ["t"])
    expected = customer_moves(match(events.lazy(), matcher), known, times, CODEBOOK).collect()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(predicates, "CODES_MAX", predicates.CODES_MAX if has_few else 4)
        patched.setattr(of_moves, "HELD_ROWS", of_moves.HELD_ROWS if has_few else 5)
        found = Finders(known, times, CODEBOOK).begin()
        for piece in looked_up(matcher, events):
            found.add(piece)
        moves = found.moves()
    assert_frame_equal(moves, as_kept(expected, known), check_row_order=False)
