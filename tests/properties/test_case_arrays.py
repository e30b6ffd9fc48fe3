"""Cases and handoffs by arrays are those that the expressions give."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from contracts.accountability import Cases
from contracts.events import INSTANT, Codebook
from transforms.case_arrays import CaseMaker
from transforms.cases import BY_SUBJECT, SUBJECT, cases, handoffs

KINDS = ("opened", "replied", "resolved", "closed", "reopened", "said")
CODEBOOK = Codebook(
    {
        "kind": [f"ticket.{kind}" for kind in KINDS],
        "subject_type": ["ticket", "order"],
        "attribute_tier": ["gold", "iron"],
    },
    {"tier": "text", "effort": "number"},
)
SCHEMA = {
    "feed": pl.UInt16,
    "subject_id": pl.UInt32,
    "occurred_at": INSTANT,
    "kind": pl.UInt16,
    "actor_team": pl.UInt16,
    "customer": pl.UInt32,
    "channel": pl.UInt16,
    "touchpoint": pl.UInt16,
    "subject_type": pl.UInt16,
    "attribute_tier": pl.UInt32,
    "attribute_effort": pl.Float64,
    "sequence": pl.Int64,
    "landing": pl.UInt32,
    "row": pl.UInt32,
}
START = datetime(2026, 3, 2, tzinfo=UTC)
few = st.integers(0, 3)
event = st.tuples(
    st.integers(1, 2),
    few,
    st.integers(0, 12).map(lambda minutes: START + timedelta(minutes=minutes, microseconds=minutes)),
    st.integers(0, 6),
    few,
    few,
    few,
    few,
    st.sampled_from([1, 1, 1, 2]),
    st.integers(0, 2),
    st.none() | st.floats(-9, 9, allow_nan=False),
)
specs = st.builds(
    lambda effort, tier: Cases(attributes={"effort": effort, "tier": tier}),
    st.sampled_from(["first", "last", "min", "max", "sum"]),
    st.sampled_from(["first", "last", "max"]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(event, max_size=60), specs)
def test_arrays_give_what_expressions_do(drawn: list[tuple], spec: Cases):
    rows = [(*one, 0, 1, number) for number, one in enumerate(drawn)]
    events = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    told = BY_SUBJECT.in_order(events)
    # As they are kept: however narrow, and before they are put in order.
    placed = BY_SUBJECT.placed(BY_SUBJECT.narrow(events))
    found, handed = CaseMaker(spec, CODEBOOK).made(placed, SCHEMA)
    with_slot = told.lazy().with_columns(slot=pl.lit(0, dtype=pl.UInt32))
    said = cases(with_slot, spec, CODEBOOK, is_in_order=True).sort(SUBJECT).collect()
    moved = handoffs(with_slot, spec, CODEBOOK, is_in_order=True).drop("slot").collect()
    assert_frame_equal(found, said, check_exact=True)
    assert_frame_equal(handed, moved, check_exact=True)
