"""The log of what was restated, in parts: full ones stay as they are, and all of it tells what one file would."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path

import polars as pl
import pytest

from contracts.tables import Restatement
from flows import restating
from flows.restating import _Log
from flows.run import Outcome
from flows.verifying import verified
from tests.conftest import Sandbox, build_sandbox
from transforms.restatement import marks_of
from warehouse.kept import Kept
from warehouse.release import TableFile
from warehouse.releases import Releases

KEY = Restatement.primary_key()
NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def late(sandbox: Sandbox) -> Iterator[Outcome]:
    """A run, and four more that each restate weeks of February."""
    sandbox.answers("a,a@x.de,2026-02-03T10:00:00,web,order,5")
    yield sandbox.run()
    for number in range(4):
        day, score = 3 + 7 * (number % 2), number + 1
        sandbox.answers(
            f"b{number},b@x.de,2026-02-{day:02}T11:00:00,web,order,{score}", name=f"answers_{number}.csv"
        )
        yield sandbox.run()


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, list[Outcome]]:
    """A workspace after those runs whose log is in as many parts as can be. Do not change it."""
    sandbox = build_sandbox(tmp_path_factory.mktemp("parted") / "workspace")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(restating, "PART_ROWS", 1)
        return sandbox, list(late(sandbox))


@pytest.fixture(scope="module")
def in_common(parted: tuple[Sandbox, list[Outcome]], tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """It two runs later: three releases have all of its parts in common. Do not change it."""
    sandbox = parted[0].copied(tmp_path_factory.mktemp("common") / "workspace")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(restating, "PART_ROWS", 1)
        for _ in range(2):
            sandbox.run()
    return sandbox


def log(sandbox: Sandbox) -> pl.DataFrame:
    """All of it but the clock."""
    return sandbox.table("restatement").drop("restated_at").sort(KEY)


def parts(outcome: Outcome) -> list[TableFile]:
    return list(outcome.release.by_table["restatement"])


def test_a_log_in_parts_is_that_in_one_file_and_full_parts_are_not_written_again(
    sandbox: Sandbox,
    parted: tuple[Sandbox, list[Outcome]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    *_, whole = late(sandbox)
    expected, flagged = (
        log(sandbox),
        sandbox.table("scorecard_touchpoint").filter("is_restated").drop("value"),
    )
    assert len(parts(whole)) == 1
    assert expected.height > 8
    monkeypatch.setattr(restating, "PART_ROWS", 1)
    made, runs = parted
    other = made.copied(tmp_path / "other")
    assert log(other).equals(expected)
    assert other.table("scorecard_touchpoint").filter("is_restated").drop("value").equals(flagged)
    told = [parts(one) for one in runs]
    assert [one.part for one in told[-1]] == ["", "00000003", "00000004", "00000005"]
    for before, after in pairwise(told[1:]):
        assert [one.path for one in after[:-1]] == [one.path for one in before]
        assert all(one.is_reused for one in after[:-1])
    assert other.run().is_unchanged
    assert verified(other.load()).differing == 0
    page = (other.root / "warehouse/published/current/quality.html").read_text()
    assert f"{expected.height} values so far" in page


def test_full_parts_are_not_unpacked(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(restating, "PART_ROWS", 1)
    runs = late(sandbox)
    next(runs)
    next(runs)
    monkeypatch.setattr(Releases, "frame_of", None)
    assert [len(parts(one)) for one in runs] == [2, 3, 4]


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_part_that_no_release_has_whole_is_left_out_and_told(
    parted: tuple[Sandbox, list[Outcome]],
    in_common: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: int,
    how: str,
):
    monkeypatch.setattr(restating, "PART_ROWS", 1)
    last, sandbox = parted[1][-1], in_common.copied(tmp_path / "workspace")
    before, published = parts(last), sandbox.root / "warehouse/published"
    for number in range(1, last.release.number):
        (published / f"releases/{number:08}.json").unlink()
    lost = before[which]
    (published / lost.path).unlink()
    if how == "damaged":
        (published / lost.path).write_bytes(b"damaged")
    sandbox.answers("late,l@x.de,2026-02-17T09:00:00,web,order,1", name="answers_late.csv")
    after = sandbox.run()
    left = [one.path for one in before if one != lost]
    assert [one.path for one in parts(after)][: len(left)] == left
    assert log(sandbox)["release_number"].max() == after.release.number, "it is compared all the same"
    page = (published / "current/quality.html").read_text()
    assert f"{lost.rows} values more is lost" in page
    assert verified(sandbox.load()).differing == 0
    sandbox.run()
    assert f"{lost.rows} values more is lost" in (published / "current/quality.html").read_text()


def test_what_is_flagged_does_not_hang_on_what_is_remembered(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(restating, "PART_ROWS", 1)
    for number, _ in enumerate(late(sandbox)):
        if number == 3:
            Kept(sandbox.root / "warehouse/store/kept").forget()
    assert verified(sandbox.load()).differing == 0
    card = sandbox.table("scorecard_touchpoint")
    assert card["is_restated"].sum() == marks_of(sandbox.table("restatement")).height


def rows(*told: tuple[str, datetime]) -> pl.DataFrame:
    """Rows of the log: touchpoint, when it was restated."""
    schema = Restatement.published_schema()
    said = [
        {
            "scorecard": "scorecard_touchpoint", "scope_id": scope, "metric": "csat", "period": "week",
            "period_start": date(2026, 2, 2), "period_end": date(2026, 2, 9), "release_number": number,
            "restated_at": at, "value_was": 0.5, "value_is": 0.6, "n_was": 1, "n_is": 2, "why": "late events",
        }
        for number, (scope, at) in enumerate(told, start=1)
    ]  # fmt: skip
    return pl.DataFrame([{name: one[name] for name in schema} for one in said], schema=schema)


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    """Releases, of which there is none."""
    return Releases(tmp_path / "published")


def with_more(log: _Log, added: pl.DataFrame, number: int) -> _Log:
    """The log once a release has been written."""
    made = log.with_more(added, number)
    return _Log(log.releases, log.releases.put_parts(Restatement, made), log.now, log.days)


def told(log: _Log) -> list[list[str]]:
    return [sorted(log.releases.frame_of(one)["scope_id"].to_list()) for one in log.files]


def test_rows_are_told_of_for_so_many_days_and_full_parts_until_all_of_theirs_are_too_old(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(restating, "PART_ROWS", 2)
    log = _Log(releases, [], NOW, 10)
    log = with_more(log, rows(("a", NOW - 9 * DAY), ("b", NOW - 8 * DAY)), 2)
    log = with_more(log, rows(("c", NOW - 7 * DAY)), 3)
    assert told(log) == [["a", "b"], ["c"]]
    remembered = Kept(tmp_path / "kept")
    log.marks(log.with_more(rows(), 4), rows(), remembered)
    for days, expected in ((0, [["a", "b"], ["c"]]), (1.5, [["a", "b"], ["c"]]), (2.5, [["c"]]), (4, [[]])):
        later = _Log(releases, log.files, NOW + days * DAY, 10)
        assert told(with_more(later, rows(), 4)) == expected, days
        marks = later.marks(later.with_more(rows(), 4), rows(), remembered)
        assert sorted(marks["touchpoint_id"]) == sorted(chain.from_iterable(expected))


def test_of_a_part_that_is_not_full_rows_leave_one_by_one(releases: Releases, tmp_path: Path):
    log = with_more(_Log(releases, [], NOW, 10), rows(("a", NOW - 9 * DAY), ("b", NOW - 5 * DAY)), 2)
    remembered = Kept(tmp_path / "kept")
    assert log.marks(log.with_more(rows(), 3), rows(), remembered).height == 2
    later = _Log(releases, log.files, NOW + 2 * DAY, 10)
    assert later.marks(later.with_more(rows(), 3), rows(), remembered)["touchpoint_id"].to_list() == ["b"]
    assert told(with_more(later, rows(), 3)) == [["b"]]
    assert told(with_more(later, rows(("c", NOW + 2 * DAY)), 3)) == [["b", "c"]]


def test_a_log_that_was_written_in_one_file_goes_on(releases: Releases, tmp_path: Path):
    old = releases.put(Restatement, rows(("a", NOW - DAY)))
    assert (old.part, old.key, old.state) == ("", "", "")
    log, remembered = _Log(releases, [old], NOW, 10), Kept(tmp_path / "kept")
    marks = log.marks(log.with_more(rows(), 8), rows(), remembered)
    assert marks["touchpoint_id"].to_list() == ["a"]
    same = with_more(log, rows(), 8)
    assert [one.path for one in same.files] == [old.path]
    assert told(with_more(same, rows(("b", NOW)), 9)) == [["a", "b"]]
    assert told(with_more(_Log(releases, [old], NOW + 20 * DAY, 10), rows(), 8)) == [[]]


def test_two_runs_that_would_be_the_same_release_are_told_apart_by_their_rows(releases: Releases):
    log = with_more(_Log(releases, [], NOW, 10), rows(("a", NOW)), 2)
    one, other = (log.with_more(rows((name, NOW)), 3)[-1].key for name in ("b", "c"))
    assert one != other
