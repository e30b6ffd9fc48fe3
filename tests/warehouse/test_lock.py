"""The lock: one run at a time, and none that outlives its process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import BusyError, StoreError
from tests.conftest import ROOT
from warehouse.lock import held

_HOLDS = """
import sys
from pathlib import Path
from warehouse.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_is_told_who_was_first_until_a_kill_frees_it(tmp_path: Path):
    with _holder(tmp_path) as other:
        with pytest.raises(BusyError) as error, held(tmp_path):
            pytest.fail("held twice")
        assert str(error.value) == (
            f"{tmp_path}: process {other.pid} is running here. Wait until it has ended, then run again."
        )
        assert (error.value.exit_code, error.value.can_retry) == (7, True)
        other.kill()
        other.wait()
        with held(tmp_path):
            assert (tmp_path / ".lock").read_text() == f"process {os.getpid()}"


def test_who_has_ended_is_not_named_any_more(tmp_path: Path):
    with held(tmp_path / "new/folder"):
        pass
    assert (tmp_path / "new/folder/.lock").read_text() == ""
    with pytest.raises(ZeroDivisionError), held(tmp_path):
        _ = 1 / 0
    with held(tmp_path):
        pass


def test_a_holder_that_has_not_yet_said_its_name_is_another_process(tmp_path: Path):
    with held(tmp_path):
        (tmp_path / ".lock").write_text("")
        with pytest.raises(BusyError, match="another process is running here"), held(tmp_path):
            pytest.fail("held twice")


def test_a_folder_that_cannot_be_locked_is_told_in_a_sentence(tmp_path: Path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(StoreError, match=r"\.lock: cannot be used: Is a directory"), held(tmp_path):
        pytest.fail("held a folder")
