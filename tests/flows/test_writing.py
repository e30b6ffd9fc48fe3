"""Tables become files while later stages are at work."""

import os
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import polars as pl
import pytest

from contracts.errors import PromiseError
from contracts.tables import TABLES, FactCase, QuarantineReason
from flows import named_cases, writing
from flows.run import TIDIED, Run, publish_inline
from flows.verifying import verified
from flows.workspace import load
from flows.writing import Writers
from tests.conftest import Company, Sandbox
from warehouse.memory import Memory
from warehouse.release import TableFile
from warehouse.releases import Release, Releases


def empty() -> dict:
    return {table: table.empty() for table in TABLES}


def test_every_table_has_its_file_in_the_order_of_the_tables(tmp_path: Path):
    releases = Releases(tmp_path)
    with Writers(releases) as writers:
        files = writers.files(empty())
    assert [one.table for one in files] == [table.table_name() for table in TABLES]
    assert all((releases.root / one.path).exists() for one in files)


def test_a_table_that_has_changed_since_it_was_begun_is_written_as_it_is_now(tmp_path: Path):
    frame = QuarantineReason.empty()
    row = {name: "x" if kind.is_(frame.schema["feed"]) else 1 for name, kind in frame.schema.items()}
    now = frame.clear().vstack(type(frame)([row], schema=frame.schema))
    with Writers(Releases(tmp_path)) as writers:
        writers.begin({QuarantineReason: frame})
        files = writers.files({**empty(), QuarantineReason: now})
    assert next(one.rows for one in files if one.table == "quarantine_reason") == 1


def test_a_promise_that_is_broken_is_told_when_the_files_are_asked_for(tmp_path: Path):
    with Writers(Releases(tmp_path)) as writers:
        writers.begin({QuarantineReason: QuarantineReason.empty().drop("feed")})
        tables = {**empty(), QuarantineReason: writers._begun[QuarantineReason][0]}  # noqa: SLF001
        with pytest.raises(PromiseError, match="it lacks feed"):
            writers.files(tables)


def test_cases_are_written_once_and_not_to_the_end_where_the_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked, is_begun, is_stopping, written = [], threading.Event(), threading.Event(), []

    class Cases:
        def blocks(self, _: str) -> list[str]:
            asked.append(1)
            return ["2026-01", "2026-02", "2026-03"]

    def put_parts(_: Releases, __: object, parts: Iterable[str], ___: object) -> list[TableFile]:
        for part in parts:
            written.append(part)
            is_begun.set()
            assert is_stopping.wait(10)
        return []

    monkeypatch.setattr(Releases, "put_parts", put_parts)
    monkeypatch.setattr(writing, "_part", lambda _, block, __: block)
    writers, cases = Writers(Releases(tmp_path)), cast("named_cases.NamedCases", Cases())
    for _ in range(2):
        writers.begin_cases(cases, {})
    assert is_begun.wait(10)
    threading.Timer(0.2, is_stopping.set).start()
    writers.stop()
    assert (asked, written) == ([1], ["2026-01"])


def test_nobody_writes_any_more_once_the_run_is_over(tmp_path: Path):
    before = threading.active_count()
    with Writers(Releases(tmp_path)) as writers:
        writers.begin(empty())
    assert threading.active_count() == before


def test_runs_with_a_memory_publish_what_runs_without_one_do(sandbox: Sandbox):
    sandbox.answers("a1,,2026-02-03 10:00:00,web,order,5", "a2,,2026-02-04 10:00:00,web,order,1")
    workspace, memory = sandbox.load(), Memory()
    publish_inline(Run(workspace))
    plain, *others = (
        publish_inline(Run(workspace, memory=one)).release.tables for one in (None, memory, memory)
    )
    for tables in others:
        assert [one.sha256 for one in tables] == [one.sha256 for one in plain]
        assert all(one.is_reused for one in tables)


def test_letters_are_out_before_a_run_tidies_up_and_that_is_done_once_an_hour(sandbox: Sandbox):
    sandbox.answers("a1,,2026-02-03 10:00:00,web,order,5")
    workspace = sandbox.load()
    mark, seen = workspace.warehouse / TIDIED, []
    publish_inline(Run(workspace, posted=lambda: seen.append(mark.exists())))
    assert seen == [False]
    assert mark.exists()
    for age, is_swept in ((60, False), (7200, True)):
        left = workspace.warehouse / "published/data/left-behind.parquet"
        left.write_bytes(b"")
        os.utime(left, (1, 1))
        at = time.time() - age  # noqa: TID251 - files are young by the real clock
        os.utime(mark, (at, at))
        publish_inline(Run(workspace))
        assert left.exists() is not is_swept


def test_many_cases_are_published_by_month_and_only_months_that_change_are_written(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(named_cases, "ONE_FILE_ROWS", 50)
    monkeypatch.setattr(named_cases, "PART_ROWS", 1)
    root = Path(shutil.copytree(company.root, tmp_path / "shop", symlinks=True))
    before = company.table("fact_case").sort(FactCase.primary_key())
    release = publish_inline(Run(load(root))).release
    files, releases = release.by_table["fact_case"], Releases(root / "warehouse/published")
    months = before["opened_at"].dt.strftime("%Y-%m")
    assert {one.part: one.rows for one in files} == dict(months.value_counts().iter_rows())
    assert releases.frame(release, "fact_case").sort(FactCase.primary_key()).equals(before)
    assert verified(load(root)).differing == 0
    again = publish_inline(Run(load(root)))
    assert again.is_unchanged
    people = root / "map/people.yaml"
    told, held = people.read_text(), "{person: ali, from: 2026-03-16}"
    assert held in told
    people.write_text(
        told.replace(
            held,
            "{person: ali, from: 2026-03-16, until: 2026-08-01}\n      - {person: jonas, from: 2026-08-01}",
        )
    )
    after = publish_inline(Run(load(root))).release
    reused = {one.part for one in after.by_table["fact_case"] if one.is_reused}
    assert {month for month in months.unique() if month < "2026-08"} <= reused
    assert reused < set(months)
    assert verified(load(root)).differing == 0


def test_many_cases_are_verified_month_by_month_and_one_cell_of_each_that_differs_is_found(
    company: Company, monkeypatch: pytest.MonkeyPatch
):
    whole = verified(load(company.root))
    assert whole.differing == 0
    monkeypatch.setattr(named_cases, "ONE_FILE_ROWS", 50)
    frame, asked = Releases.frame, list[int]()

    def other(
        self: Releases, release: Release, table: str, *columns: object, where: pl.Expr | None = None
    ) -> pl.DataFrame:
        rows = frame(self, release, table, *columns, where=where)
        if table != FactCase.table_name() or rows.is_empty():
            return rows
        asked.append(rows.height)
        is_first = pl.int_range(pl.len()) == 0
        return rows.with_columns(event_count=pl.col("event_count") + is_first.cast(pl.Int64))

    left = company.root / "warehouse/.scratch.left.part"
    left.mkdir()
    os.utime(left, (0, 0))
    monkeypatch.setattr(Releases, "frame", other)
    found = verified(load(company.root))
    assert found.cells == whole.cells
    assert found.differing == len(asked) > 3
    assert {one.table for one in found.checks if one.differing} == {FactCase.table_name()}
    assert list((company.root / "warehouse").glob(".scratch*")) == []
