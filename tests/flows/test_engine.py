"""Which of polars' engines computes what makes no difference to what comes of it."""

import os
from unittest.mock import patch

import polars as pl
import pytest

from flows.attesting import standing
from flows.auditing import audited
from flows.engine import ROWS_MAX, suited
from flows.goals import scored
from flows.map_history import map_history
from flows.passes import measure
from flows.workspace import load
from tests.conftest import Company
from warehouse.memory import is_same
from warehouse.promises import as_published
from warehouse.store import EventStore


def test_few_rows_are_queried_in_memory_and_many_as_polars_likes():
    def affinity() -> str | None:
        return os.environ.get("POLARS_ENGINE_AFFINITY")

    before = affinity()
    with suited(ROWS_MAX):
        assert affinity() == "in-memory"
    assert affinity() == before
    with suited(ROWS_MAX + 1):
        assert affinity() == before
    with pytest.raises(ZeroDivisionError), suited(0):
        _ = 1 / 0
    assert affinity() == before


def test_both_engines_give_the_same_tables_to_the_last_bit(company: Company):
    workspace, store = load(company.root), EventStore(company.root / "warehouse/store")
    state, recorded = store.head(), map_history(load(company.root))
    measured = measure(workspace, state, kept=store.kept)
    made: list[dict[str, pl.DataFrame]] = []
    for limit in (-1, 10**9):
        with patch("flows.engine.ROWS_MAX", limit):
            tables = scored(workspace, measured, state, recorded)
            tables |= audited(workspace, measured, state, tables, recorded, standing(workspace))
        made.append(
            {
                table.table_name(): as_published(table, frame.select(table.column_names()), {})
                for table, frame in tables.items()
            }
        )
    streamed, held = made
    assert len(streamed) > 30
    assert [name for name, frame in streamed.items() if not is_same(frame, held[name])] == []
