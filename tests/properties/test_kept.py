"""What is kept of months gives what computing everything anew gives, whatever came, went or changed."""

import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from contracts.tables import FactCase
from flows import case_parts, customer_parts, lately, named_cases, stages, turn_parts
from flows.named_cases import NamedCases
from flows.passes import Measured, matcher_of, measure
from flows.stages import score
from flows.workspace import LoadedWorkspace
from tests.properties import drawn_history
from tests.properties.drawn_history import START, History
from transforms import customer_moves as of_moves
from transforms.customer_counts import counted, order_of
from transforms.customer_moves import as_kept, customer_moves, moves_columns
from transforms.found import events_unmatched
from transforms.match import match
from transforms.measure import CELL
from transforms.observed import RESOLVED_BY
from transforms.valued import Values
from warehouse import months
from warehouse.state import State

ALWAYS = 3
"""In the first so many histories months are mended."""
SEQUENCES = int(os.environ.get("ANSWERABLE_SEQUENCES", "3"))
BATCHES = 6
SEED = 20_261_128
_KEYS = {
    "counted": ["slot", "rule", "touchpoint"],
    "sums": ["slot", "touchpoint", "metric", "dimension", "segment"],
    "answers": ["slot", "touchpoint", "metric", "score"],
    "disowned": ["tenure", "customer"],
}


def canonical(measured: Measured) -> dict[str, pl.DataFrame]:
    """The passes' outcome with parts added up and rows in one order."""
    made = {}
    for name, keys in _KEYS.items():
        frame: pl.DataFrame = getattr(measured, name)
        made[name] = frame.group_by(keys).agg(pl.exclude(keys).sum()).sort(keys)
    told = measured.told_lately
    made["hits"] = told.hits.group_by("rule").agg(pl.col("n").sum()).sort("rule")
    made["unmatched"] = events_unmatched(told.unmatched, measured.codebook).sort("feed", "kind", "channel")
    stakes = [(name, *stake) for name, stake in sorted(measured.lately.stakes.items())]
    together = ("", *measured.lately.stake(measured.matcher.names))
    made["lately"] = pl.DataFrame([*stakes, together], schema=["name", "events", "customers"], orient="row")
    made["values"] = values_of(measured.values)
    made |= {f"customers {name}": frame.sort(frame.columns) for name, frame in measured.customers.items()}
    rows = {"cases": measured.made.lazy().collect(), "handoffs": measured.handed.lazy().collect()}
    for name, frame in {**rows, "behind": measured.behind}.items():
        made[name] = frame.select(sorted(frame.columns)).sort(sorted(frame.columns)) if frame.width else frame
    return made


def values_of(values: Values) -> pl.DataFrame:
    """Observations cell by cell, those of a cell in order."""
    every = np.arange(values.cells.height)
    events, still = (
        [sorted(side.of(every[place : place + 1]).tolist()) for place in every]
        for side in (values.events, values.open)
    )
    told = values.cells.with_columns(
        excluded=pl.Series(values.excluded),
        events=pl.Series(events, dtype=pl.List(pl.Float64)),
        open=pl.Series(still, dtype=pl.List(pl.Float64)),
        mark=pl.Series(values.events.marks),
    )
    is_told = (pl.col("excluded") > 0) | (pl.col("events").list.len() > 0) | (pl.col("open").list.len() > 0)
    return told.filter(is_told).sort(CELL)


def customers(measured: Measured) -> dict[str, list[tuple]]:
    """Counts of customers in one order."""
    return {name: sorted(frame.rows()) for name, frame in measured.customers.items()}


def customers_of_all_events(workspace: LoadedWorkspace, state: State) -> dict[str, list[tuple]]:
    """The same, counted from the moves of all events at once."""
    matcher, codebook, _ = matcher_of(workspace, state)
    groups = workspace.atlas.customers
    columns = {*matcher.columns, *moves_columns(groups, codebook), "customer"}
    matched = match(state.scan(sorted(columns)), matcher)
    moves = customer_moves(matched, groups, matcher.slots, codebook).collect()
    found = counted(order_of(groups).in_order(as_kept(moves, groups)), groups)
    return {name: sorted(frame.rows()) for name, frame in found.items()}


def differing(one: Measured, other: Measured) -> list[str]:
    """Names of what the two do not have alike."""
    first, second = canonical(one), canonical(other)
    return [name for name in first if not first[name].equals(second[name])]


@pytest.mark.parametrize("sequence", range(SEQUENCES))
def test_kept_parts_are_a_rebuild_after_any_batch_and_any_change_of_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequence: int
):
    # As it is, as if months were large, and as if they were put together all the time.
    monkeypatch.setattr(months, "DELTAS_SHARE", (months.DELTAS_SHARE, 1e9, 0.05)[sequence % 3])
    monkeypatch.setattr(months, "DELTAS_MAX", (months.DELTAS_MAX, 3)[sequence % 2])
    monkeypatch.setattr(lately, "LARGE_ROWS", (lately.LARGE_ROWS, 8, 0)[sequence % 3])
    monkeypatch.setattr(named_cases, "ONE_FILE_ROWS", 5)
    # As if there were many cases a month, or few of them.
    monkeypatch.setattr(named_cases, "PART_ROWS", (1, 12)[sequence % 2])
    # As it is, and as if what is made anew were never much beside what was made before.
    monkeypatch.setattr(case_parts, "BESIDE", (1e9, case_parts.BESIDE)[sequence // 3 % 2])
    monkeypatch.setattr(case_parts, "ANEW", (1e9, case_parts.ANEW)[sequence // 3 % 2])
    # As it is, and as if customers who are touched were never many, or had to be counted a few at a time.
    monkeypatch.setattr(customer_parts, "ANEW", (1e9, customer_parts.ANEW)[sequence // 2 % 2])
    monkeypatch.setattr(customer_parts, "AT_ONCE", (customer_parts.AT_ONCE, 7)[sequence % 2])
    monkeypatch.setattr(customer_parts, "_DRAWN", (4096, 1)[sequence % 2])
    # As if what is held before it is worked out were much, or little.
    monkeypatch.setattr(turn_parts, "UNMATCHED_ROWS", (turn_parts.UNMATCHED_ROWS, 0)[sequence // 2 % 2])
    monkeypatch.setattr(of_moves, "HELD_ROWS", (of_moves.HELD_ROWS, 0)[sequence // 2 % 2])
    history = History(tmp_path, random.Random(SEED + sequence))
    published: dict[str, pl.DataFrame] = {}
    stood: dict[tuple[str, str], pl.DataFrame] = {}
    for _ in range(BATCHES):
        history.batch()
        done = [history.change_map() for _ in range(history.chance.randint(0, 2))]
        workspace, state = history.workspace(), history.state
        assert state.rows == len(history.events)
        # As it is, and with so little memory that a few events have to do.
        kept = measure(workspace, state, kept=history.store.kept, at_once=(None, None, 50)[sequence % 3])
        fresh = measure(workspace, state)
        assert differing(kept, fresh) == [], f"after {done}"
        assert customers(fresh) == customers(kept) == customers_of_all_events(workspace, state)
        rows = blocks(workspace, kept, history.state, stood)
        again = {key: frame for key, frame in rows.items() if key in published}
        assert all(frame.equals(published[key]) for key, frame in again.items()), "no key is of other rows"
        assert rows.keys() == blocks(workspace, fresh, history.state, {}).keys()
        published |= rows
    found, anew = (score(workspace, one, state) for one in (kept, fresh))
    for table, frame in found.items():
        keys = table.primary_key()
        assert frame.sort(keys).equals(anew[table].select(frame.columns).sort(keys)), table.table_name()


def _a_day_later(history: History) -> None:
    history.today += timedelta(days=1)


def _a_vacancy(history: History) -> None:
    history.changes[2].append((START.replace(tzinfo=None) + timedelta(days=3), None))


def _what_is_recent_gone(history: History) -> None:
    assert history.store.kept.folder is not None
    gone = list(history.store.kept.folder.glob("recent-*"))
    assert gone
    for path in gone:
        path.unlink()


@pytest.mark.parametrize("change", [_a_day_later, _a_vacancy, _what_is_recent_gone])
def test_what_hangs_on_owners_and_the_day_alone_is_computed_alone(
    tmp_path: Path, change: Callable[[History], None]
):
    history = History(tmp_path, random.Random(3))
    for _ in range(2):
        history.batch()
    measure(history.workspace(), history.state, kept=history.store.kept)
    change(history)
    workspace = history.workspace()
    assert (
        differing(*(measure(workspace, history.state, kept=one) for one in (history.store.kept, None))) == []
    )


def test_what_is_told_and_damaged_is_computed_once_although_every_bucket_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(case_parts, "PARTITION_ROWS", 10)
    history = History(tmp_path, random.Random(0))
    for _ in range(3):
        history.batch()
    workspace, folder = history.workspace(), history.store.kept.folder
    assert folder is not None
    before = measure(workspace, history.state, kept=history.store.kept)
    for path in [*folder.glob("mended-*"), *folder.glob("cases-*")]:
        path.unlink()
    kept = history.store.keeping()
    for path in folder.glob("told-*"):
        path.write_bytes(b"cut")
    again = measure(workspace, history.state, kept=kept)
    assert differing(before, again) == []
    threads = max(2, os.cpu_count() or 1)
    assert again.read <= threads * history.state.rows, "several threads may begin with the same one"


def test_nothing_has_been_told_yet(tmp_path: Path):
    history = History(tmp_path, random.Random(0))
    found = measure(history.workspace(), history.state, kept=history.store.kept)
    assert (found.read, found.made.height, found.sums.height) == (0, 0, 0)
    assert found.values.cells.is_empty()


def test_another_zone_has_other_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    history = History(tmp_path, random.Random(7))
    for _ in range(3):
        history.batch()
    for zone in ("Europe/Berlin", "Europe/London", "Pacific/Pago_Pago", "Pacific/Fakaofo"):
        monkeypatch.setitem(drawn_history._SETTINGS, "timezone", zone)  # noqa: SLF001
        workspace, state = history.workspace(), history.state
        kept, fresh = (measure(workspace, state, kept=one) for one in (history.store.kept, None))
        assert differing(kept, fresh) == []
        found, anew = (score(workspace, one, state) for one in (kept, fresh))
        for table, frame in found.items():
            keys = table.primary_key()
            assert frame.sort(keys).equals(anew[table].select(frame.columns).sort(keys)), table.table_name()


@pytest.mark.parametrize("sequence", range(SEQUENCES))
def test_months_of_cases_are_mended_from_whatever_state_they_were_published_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequence: int
):
    monkeypatch.setattr(months, "DELTAS_SHARE", 1e9)
    monkeypatch.setattr(months, "DELTAS_MAX", 100)
    monkeypatch.setattr(named_cases, "ONE_FILE_ROWS", 5)
    monkeypatch.setattr(named_cases, "PART_ROWS", 1)
    monkeypatch.setattr(named_cases, "STRETCHES", (named_cases.STRETCHES, 0)[sequence % 2])
    for bound in ("BESIDE", "ANEW"):
        monkeypatch.setattr(case_parts, bound, 1e9)
    mended: list[str] = []
    mend = NamedCases.mended
    monkeypatch.setattr(
        NamedCases, "mended", lambda self, one, *was: mended.append(one.period) or mend(self, one, *was)
    )
    history = History(tmp_path, random.Random(SEED + 1000 + sequence))
    stood: dict[tuple[str, str], pl.DataFrame] = {}
    for _ in range(BATCHES):
        history.batch()
        workspace, state = history.workspace(), history.state
        kept, fresh = (measure(workspace, state, kept=one) for one in (history.store.kept, None))
        assert blocks(workspace, kept, state, stood).keys() == blocks(workspace, fresh, state, {}).keys()
    assert mended or sequence >= ALWAYS  # of further histories one in twenty has no month that can be


def blocks(
    workspace: LoadedWorkspace, measured: Measured, state: State, stood: dict[tuple[str, str], pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """FactCase's rows by the key of the file that they are published in; `stood` has months' rows by earlier states."""
    cases, by = stages.named_cases(workspace, measured, state), FactCase.primary_key()
    columns = [*FactCase.column_names(), *stages.case_attributes(workspace, measured)]
    found = cases.blocks("")
    parts = {one.key: cases.rows(one.places).select(columns) for one in found}
    assert all(part.equals(part.sort(by)) for part in parts.values())
    assert pl.concat(parts.values()).sort(by).equals(cases.rows().select(columns))
    counted = cases.counted(pl.col("resolved_at").is_not_null(), RESOLVED_BY).sort(RESOLVED_BY)
    resolved = cases.rows().filter(pl.col("resolved_at").is_not_null()).group_by(RESOLVED_BY)
    assert counted.equals(resolved.agg(n=pl.len().cast(pl.Int64)).sort(RESOLVED_BY))
    for one in found:
        now, states = cases.states(one, "")
        for before in {(one.period, state) for state in states} & stood.keys():
            # What was published at any of the states can be mended to what it is now.
            mended = cases.mended(one, stood[before], states[before[1]])
            assert mended is not None
            assert mended.select(columns).equals(parts[one.key])
        if now:
            stood[one.period, now] = parts[one.key]
    return parts


@pytest.mark.parametrize("sequence", range(2))
def test_customers_of_whom_a_batch_tells_are_counted_anew_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequence: int
):
    monkeypatch.setattr(months, "DELTAS_SHARE", 1e9)
    monkeypatch.setattr(months, "DELTAS_MAX", 100)
    monkeypatch.setattr(customer_parts, "ANEW", 1e9)
    made: list[bool] = []
    make, mend = customer_parts._made, customer_parts._mended  # noqa: SLF001
    monkeypatch.setattr(customer_parts, "_made", lambda *some: made.append(False) or make(*some))

    def mended(*some: Any) -> Any:
        if (found := mend(*some)) is not None:
            made.append(True)
        return found

    monkeypatch.setattr(customer_parts, "_mended", mended)
    history = History(tmp_path, random.Random(SEED + sequence))
    for _ in range(BATCHES):
        history.batch()
        workspace, state = history.workspace(), history.state
        kept = measure(workspace, state, kept=history.store.kept)
        assert customers(kept) == customers_of_all_events(workspace, state)
    assert made[0] is False
    assert sum(made) >= BATCHES // 2, "only where a delivery is taken back all are"


def test_what_cases_are_made_of_is_not_swept_as_long_as_runs_go_on(tmp_path: Path):
    history = History(tmp_path, random.Random(SEED))
    history.batch()
    kept = history.store.kept
    measure(history.workspace(), history.state, kept=kept)
    assert kept.folder is not None
    there = {path for path in kept.folder.iterdir() if path.name.startswith(("told-", "moved-"))}
    for path in kept.folder.iterdir():
        os.utime(path, (1, 1))
    measure(history.workspace(), history.state, kept=kept)
    kept.sweep(older_than=2)
    assert there
    assert all(path.exists() for path in there)
