"""Deliveries' accounts: a commit writes what has changed of them, names the rest, and what it names is there."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.deliveries import Delivery, RuleResult
from contracts.errors import StoreError
from contracts.identity import Resolution
from tests.warehouse.test_store import _SCHEMA, LATE
from warehouse import accounts
from warehouse.store import EventStore, State

REMEDY = "Restore it."


def told(number: int, feed: str = "chat", **more: object) -> Delivery:
    """A delivery as a run tells of it."""
    one = Delivery(
        id=f"{feed}-{number}", feed=feed, stream="answers", source=f"inbox/{number:05}.jsonl", sha256=f"{number}",
        reading="r", mapping="m", state="accepted", rows_read=3, rows_accepted=2, rows_quarantined=1, event_count=2,
        reasons={"score.type": 1}, results=(RuleResult("score.type", "error", 3, 1, "failed"),),
        parts={"events": f"landing/{feed}/events-{number}.parquet"},
    )  # fmt: skip
    return replace(one, **more)  # ty: ignore[invalid-argument-type]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["chat", "crm"]), st.integers(0, 9)), unique=True), st.integers(1, 5)
)
def test_what_is_read_is_what_was_written_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, named: list[tuple[str, int]], size: int
):
    folder = tmp_path_factory.mktemp("accounts")
    deliveries = tuple(told(number, feed) for feed, number in named)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "BLOCK", size)
        first = accounts.write(folder, deliveries, (), REMEDY)
        assert accounts.read(folder, first, REMEDY) == deliveries
        assert accounts.write(folder, deliveries, first, REMEDY) == first
        assert accounts.parts(folder, first, REMEDY) == {
            part for d in deliveries for part in d.parts.values()
        }


def test_one_more_delivery_writes_one_block(tmp_path: Path):
    many = [told(number) for number in range(3 * accounts.BLOCK + 5)]
    others = [told(number, "crm") for number in range(accounts.BLOCK)]
    before = accounts.write(tmp_path, [*many, *others], (), REMEDY)
    after = accounts.write(tmp_path, [*many, told(9_999), *others], before, REMEDY)
    assert [one in before for one in after] == [True, True, True, False, True]
    changed = [
        replace(many[0], state="held", reason="it was", rows_accepted=0, rows_quarantined=3),
        *many[1:],
    ]
    again = accounts.write(tmp_path, [*changed, *others], before, REMEDY)
    assert [one in before for one in again] == [False, True, True, True, True]
    assert accounts.read(tmp_path, again, REMEDY)[0].state == "held"


def _committed(store: EventStore, deliveries: Sequence[Delivery]) -> State:
    return store.absorb(store.head(), pl.DataFrame(schema=_SCHEMA), deliveries, Resolution()).state


def test_a_store_of_before_there_were_blocks_is_read_and_goes_on_in_blocks(tmp_path: Path):
    store = EventStore(tmp_path)
    deliveries = [told(number) for number in range(5)]
    _committed(store, deliveries)
    path = store.manifests.path(1)
    content = json.loads(path.read_bytes())
    content["deliveries"] = [json.loads(json.dumps(one.as_dict())) for one in deliveries]
    path.write_text(json.dumps(content))
    old = store.head()
    assert (list(old.deliveries), old.accounts) == (deliveries, ())
    assert {tmp_path / part for one in deliveries for part in one.parts.values()} <= old.files()
    after = _committed(store, [*deliveries, told(5)])
    assert len(after.accounts) == 1
    assert store.head() == after
    assert list(store.head().deliveries) == [*deliveries, told(5)]


def test_a_sweep_keeps_blocks_and_landings_of_every_commit_that_stays_and_no_others(tmp_path: Path):
    store = EventStore(tmp_path)
    deliveries: list[Delivery] = []
    for number in range(8):
        path = store.land("chat", "answers", "events", pl.DataFrame({"x": [number]}))
        deliveries.append(told(number, parts={"events": path}))
        _committed(store, deliveries[-3:])
    assert store.sweep(LATE, commits=2) > 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*-*") if path.is_file()}
    kept = [store.at(number) for number in (7, 8)]
    assert left == {str(path.relative_to(tmp_path)) for state in kept for path in state.files()}
    assert sum(name.startswith("landing/") for name in left) == 4
    assert sum(name.startswith("deliveries/") for name in left) == 2
    assert store.sweep(LATE, commits=2) == 0


@pytest.mark.parametrize("is_there", [True, False])
def test_a_block_that_is_damaged_or_gone_is_told_with_a_remedy(is_there: bool, tmp_path: Path):
    store = EventStore(tmp_path)
    state = _committed(store, [told(1)])
    (block,) = state.accounts
    (tmp_path / block).unlink()
    if is_there:
        (tmp_path / block).write_text("[]")
    with pytest.raises(StoreError, match="Restore it from a backup"):
        store.head()
