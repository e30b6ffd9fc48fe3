"""A warehouse is one workspace's: whoever else names it is told."""

import shutil
from pathlib import Path

import pytest

from contracts.errors import WorkspaceError
from contracts.workspace import FILE
from warehouse.claim import MARK, claim, must_be_ours


def workspace(root: Path) -> Path:
    root.mkdir()
    (root / FILE).touch()
    return root


def test_a_warehouse_without_a_mark_becomes_the_first_workspaces(tmp_path: Path):
    ours, other, made = workspace(tmp_path / "ours"), workspace(tmp_path / "other"), tmp_path / "made"
    claim(made, ours)
    claim(made, ours)
    with pytest.raises(
        WorkspaceError, match=r"answerable.yaml: 'warehouse' is '.*/made', where the workspace '.*/ours'"
    ):
        claim(made, other)
    assert (made / MARK).read_text() == "../ours"


def test_a_copied_workspace_has_a_warehouse_of_its_own(tmp_path: Path):
    ours = workspace(tmp_path / "ours")
    claim(ours / "warehouse", ours)
    shutil.copytree(ours, tmp_path / "copy")
    claim(tmp_path / "copy/warehouse", tmp_path / "copy")


def test_a_workspace_that_moved_keeps_its_warehouse(tmp_path: Path):
    ours, made = workspace(tmp_path / "ours"), tmp_path / "made"
    claim(made, ours)
    moved = ours.rename(tmp_path / "moved")
    claim(made, moved)
    with pytest.raises(WorkspaceError, match=r"'.*/moved'"):
        claim(made, workspace(tmp_path / "ours"))


def test_a_workspace_by_another_name_is_the_same(tmp_path: Path):
    ours = workspace(tmp_path / "ours")
    (tmp_path / "link").symlink_to(ours)
    claim(ours / "warehouse", ours)
    claim(tmp_path / "link/warehouse", tmp_path / "link")


@pytest.mark.parametrize("said", [b"", b"\x00", b"\xff", b"nowhere"])
def test_a_mark_that_names_no_workspace_is_written_anew(tmp_path: Path, said: bytes):
    ours = workspace(tmp_path / "ours")
    (ours / "warehouse").mkdir()
    (ours / "warehouse" / MARK).write_bytes(said)
    claim(ours / "warehouse", ours)
    assert (ours / "warehouse" / MARK).read_text() == ".."


def test_whoever_only_asks_leaves_no_mark_and_is_told_the_same(tmp_path: Path):
    ours, other, made = workspace(tmp_path / "ours"), workspace(tmp_path / "other"), tmp_path / "made"
    must_be_ours(made, other)
    assert not made.exists()
    claim(made, ours)
    must_be_ours(made, ours)
    with pytest.raises(WorkspaceError, match=r"where the workspace '.*/ours'"):
        must_be_ours(made, other)
