"""A run keeps within the memory it is allowed, or says before it begins what it needs."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from contracts.errors import AllowanceError, MapError, WorkspaceError
from flows import allowance
from flows.allowance import LEAST_AT_ONCE, Allowance, Need, allowance_of, need_of, shown, size
from flows.packs import Pack, packs
from flows.parts import keys_of, parts_of
from flows.passes import matcher_of, measure
from flows.run import run_inline
from flows.turn_parts import Turns
from flows.workspace import LoadedWorkspace, load
from tests.bench.allowed import allowed
from tests.bench.million import build
from tests.conftest import Call, Company, Sandbox
from tests.flows.test_executors import published
from tests.properties.test_kept import differing
from transforms.match import match
from warehouse.months import Month
from warehouse.store import EventStore, State

MB = 10**6


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("800mb", 800 * MB), (" 64KB ", 64_000), ("1tb", 10**12)],
)
def test_a_size_is_read_as_people_write_it(text: str, bytes_: int):
    assert size(text, "here") == bytes_


@pytest.mark.parametrize("text", ["", "2", "2G", "GB", "-1GB", "two GB", "1,5GB", "1e9B", "2GB 3GB"])
def test_what_is_no_size_is_refused(text: str):
    with pytest.raises(WorkspaceError, match=r"here: is no size.*Write one like '2GB'"):
        size(text, "here")


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [(1, "0.01 GB"), (930_000_000, "0.93 GB"), (930_000_001, "0.94 GB"), (10**12, "1,000.00 GB")],
)
def test_a_size_is_never_shown_smaller_than_it_is(bytes_: int, text: str):
    assert shown(bytes_) == text
    assert size(text.replace(",", ""), "here") >= bytes_


def test_the_environment_goes_before_the_workspace(sandbox: Sandbox):
    assert allowance_of(sandbox.load(), {}).limit is None
    sandbox.replace("answerable.yaml", "timezone:", "memory: 3GB\ntimezone:")
    assert allowance_of(sandbox.load(), {}).limit == 3 * 10**9
    assert allowance_of(sandbox.load(), {"ANSWERABLE_MEMORY": "2GB"}).limit == 2 * 10**9
    with pytest.raises(WorkspaceError, match="ANSWERABLE_MEMORY: is no size: 'lots'"):
        allowance_of(sandbox.load(), {"ANSWERABLE_MEMORY": "lots"})


def test_a_size_that_is_none_in_the_workspace_is_found_when_it_is_checked(sandbox: Sandbox):
    sandbox.replace("answerable.yaml", "timezone:", "memory: lots\ntimezone:")
    with pytest.raises(WorkspaceError, match=r"answerable.yaml:3: .*memory") as found:
        sandbox.load()
    assert not isinstance(found.value, MapError)


def test_the_need_grows_with_events_cases_and_what_is_read_at_once():
    small = Need(events=10**6, cases=0, least_at_once=LEAST_AT_ONCE)
    assert Need(10**8, 0, LEAST_AT_ONCE).least > small.least
    assert Need(10**6, 10**6, LEAST_AT_ONCE).least > small.least
    assert Need(10**6, 0, 10**7).least > small.least
    assert Need(10**6, 0, LEAST_AT_ONCE, unmatched=10**6).least > small.least


def test_the_fewer_rules_there_are_the_more_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(allowance, "STRETCH_ROWS", 20)
    build(tmp_path, 6_000)
    workspace, state = load(tmp_path), EventStore(tmp_path / "warehouse/store").head()
    half = replace(workspace, atlas=replace(workspace.atlas, rules=workspace.atlas.rules[:30]))
    none = replace(workspace, atlas=replace(workspace.atlas, rules=()))
    needs = [need_of(one, state) for one in (workspace, half, none)]
    for one, need in zip((workspace, half, none), needs, strict=True):
        matcher, _, _ = matcher_of(one, state)
        matched = match(state.scan([*matcher.columns, "customer"]), matcher).collect()
        unmatched = matched.filter(pl.col("rule") == 0, pl.col("customer") > 0).height
        assert need.unmatched == pytest.approx(unmatched, abs=600)
    assert needs[2].unmatched == 6_000
    assert needs[0].least < needs[1].least < needs[2].least
    nothing = EventStore(tmp_path / "empty").head()
    assert need_of(workspace, nothing).unmatched == 0


def test_a_run_that_needs_more_is_refused_before_anything_is_begun(
    sandbox: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ANSWERABLE_MEMORY", "8GB")  # so that what the command sets ends with the test
    sandbox.answers("1,a@example.org,2026-01-05T10:00:00,web,order,5")
    said = call("run", sandbox.root, "--memory", "100MB")
    assert said.code == 11
    assert "memory: a run over 0 events needs 0.35 GB, and 0.10 GB are allowed." in said.err
    assert "Nothing was computed. Allow it 0.35 GB" in said.err
    assert not (sandbox.root / "warehouse/published/current").exists()
    assert EventStore(sandbox.root / "warehouse/store").head().number == 0
    assert call("run", sandbox.root, "--memory", "0.41GB").code == 0
    assert "--memory: is no size: 'banana'." in call("run", sandbox.root, "--memory", "banana").err


def test_what_is_refused_is_allowed_with_the_figure_that_was_said(company: Company):
    workspace, state = load(company.root), EventStore(company.root / "warehouse/store").head()
    need = need_of(workspace, state)
    assert need.events == state.rows
    assert need.cases > 0
    with pytest.raises(AllowanceError, match=f"needs {shown(need.least)}"):
        Allowance(need.least - 1).at_once(workspace, state)
    assert Allowance(need.least).at_once(workspace, state) >= need.least_at_once
    assert Allowance().at_once(workspace, state) is None


@pytest.fixture(scope="module")
def bucketed(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedWorkspace, State]:
    """A benchmark's company, and three of its months with several buckets of customers each."""
    root = tmp_path_factory.mktemp("bench")
    with patch("warehouse.months.BUCKET_ROWS", 32):
        build(root, 6_000)
    state = EventStore(root / "warehouse/store").head()
    return load(root), replace(state, months={name: state.months[name] for name in sorted(state.months)[5:8]})


def each_alone(months: Mapping[str, Month]) -> list[Pack]:
    """Every file by itself, as large months are."""
    return packs(months, rows=0)


@pytest.mark.parametrize("at_once", [1, 90])
def test_months_read_in_turns_give_what_they_give_at_once(
    bucketed: tuple[LoadedWorkspace, State], at_once: int
):
    workspace, state = bucketed
    turns = [file.turns(state.folder, at_once) for file in state.event_files]
    assert max(map(len, turns)) > 1
    assert [sum(count for _, count in one) for one in turns] == [file.rows for file in state.event_files]
    whole = measure(workspace, state)
    with (
        patch("flows.parts.packs", each_alone),
        patch.object(Turns, "add", autospec=True, side_effect=Turns.add) as add,
    ):
        parts = measure(workspace, state, at_once=at_once)
    assert add.call_count == sum(map(len, turns))
    assert whole.made.height > 20
    assert differing(whole, parts) == []
    assert parts.read == whole.read == state.rows


def test_a_month_read_at_once_beside_others_read_in_turns_gives_what_it_gives(
    bucketed: tuple[LoadedWorkspace, State],
):
    workspace, state = bucketed
    at_once = min(file.rows for file in state.event_files)
    turns = [len(file.turns(state.folder, at_once)) for file in state.event_files]
    assert min(turns) == 1 < max(turns)
    whole = measure(workspace, state)
    with patch("flows.parts.packs", each_alone):
        parts = measure(workspace, state, at_once=at_once)
    assert differing(whole, parts) == []


def test_no_turn_has_more_events_than_may_be_read_at_once_but_for_a_single_bucket(
    bucketed: tuple[LoadedWorkspace, State],
):
    _, state = bucketed
    for file in state.event_files:
        largest = max(file.buckets(state.folder))
        for at_once in (1, largest, 2 * largest, file.rows - 1, file.rows, None):
            turns = file.turns(state.folder, at_once)
            assert max(count for _, count in turns) <= max(at_once or file.rows, largest)
            assert [first for first, _ in turns] == [sum(c for _, c in turns[:n]) for n in range(len(turns))]


def test_parts_made_in_turns_are_no_larger(bucketed: tuple[LoadedWorkspace, State]):
    from flows.briefs import brief_of
    from warehouse.kept import Kept

    workspace, state = bucketed
    heights = []
    for at_once in (None, 1):
        asked = brief_of(workspace).asked_of(state, Kept(), at_once)
        with patch("flows.parts.packs", each_alone):
            parts = parts_of(asked, keys_of(asked), lambda *_: None)
        heights.append(
            [
                {name: part[name].height for name in ("counted", "sums", "answers")}
                for part in parts
                if "sums" in part
            ]
        )
    assert heights[0] == heights[1]


def test_a_limit_does_not_change_a_byte(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = tmp_path / "company"
    shutil.copytree(company.root, root, symlinks=True)
    shutil.rmtree(root / "warehouse/store/kept")
    expected, workspace = published(root), load(root)
    need = need_of(workspace, EventStore(root / "warehouse/store").head())
    monkeypatch.setenv("ANSWERABLE_MEMORY", shown(need.least))
    with patch("flows.parts.PARTITION_ROWS", 1000), patch("flows.case_parts.PARTITION_ROWS", 1000):
        run_inline(workspace)
    assert published(root) == expected


def test_the_benchmark_runs_in_a_group_of_its_own_and_keeps_within_what_was_reckoned(tmp_path: Path):
    build(tmp_path, 3_000)
    told = allowed(tmp_path, "450MB")
    assert told["release"] == 1, told
    assert told["peak_mb"] <= 450
