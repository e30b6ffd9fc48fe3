"""Kept tables that are mapped: found as they were kept, found out when they are damaged, swept when they are not used."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.conftest import ROOT
from warehouse.files import intact
from warehouse.kept import YOUNG_SECONDS, Kept

TABLES = {"one": pl.DataFrame({"x": list(range(1000)), "y": [None, *range(999)]})}


def _kept(folder: Path, tables: dict[str, pl.DataFrame] | None = None) -> tuple[Kept, Path]:
    kept = Kept(folder)
    kept.put("told", "k", tables or TABLES, as_in_memory=True)
    (path,) = folder.iterdir()
    return Kept(folder), path


def test_what_is_kept_as_it_is_in_memory_is_found(tmp_path: Path):
    kept, path = _kept(tmp_path)
    assert path.suffix == ".tables"
    found = kept.find("told", "k")
    assert found is not None
    assert_frame_equal(found["one"], TABLES["one"])
    assert kept.find("told", "k", ["two"]) == {}


@pytest.mark.parametrize("damage", ["cut", "emptied", "flipped", "gone"])
def test_damage_is_found_out(tmp_path: Path, damage: str):
    kept, path = _kept(tmp_path)
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    damaged = {"cut": content[: len(content) // 2], "emptied": b"", "flipped": content}
    path.unlink()
    if damage != "gone":
        path.write_bytes(damaged[damage])
    assert kept.find("told", "k") is None
    assert not path.exists()
    assert not kept.has("told", "k")


def test_texts_are_kept_in_the_other_way(tmp_path: Path):
    kept, path = _kept(tmp_path, {"one": pl.DataFrame({"name": ["x"]})})
    found = kept.find("told", "k")
    assert path.suffix == ".zip"
    assert found is not None
    assert found["one"]["name"].to_list() == ["x"]


def test_keys_are_told_while_others_keep_tables(tmp_path: Path):
    kept, path = _kept(tmp_path)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    names = (f"other-{number}" for number in range(100_000))
    other = threading.Thread(target=lambda: kept._paths.update((name, path) for name in names))  # noqa: SLF001
    other.start()
    try:
        while other.is_alive():
            assert kept.keys("told") == ["k"]
    finally:
        sys.setswitchinterval(interval)
        other.join()


@pytest.mark.parametrize("in_folder", [True, False])
def test_what_is_lent_is_found_once(tmp_path: Path, in_folder: bool):
    kept = Kept(tmp_path if in_folder else None)
    kept.lend("bucket", "k", TABLES)
    assert kept.find("bucket", "k") == TABLES
    assert kept.find("bucket", "k") is None
    assert not list(tmp_path.iterdir())


def test_what_is_held_of_a_kind_is_let_go_alone():
    kept = Kept()
    kept.put("told", "k", TABLES)
    kept.put("facts", "k", TABLES)
    kept.drop("told")
    assert kept.find("told", "k") is None
    assert kept.find("facts", "k") == TABLES


def test_what_is_used_is_not_swept(tmp_path: Path):
    kept, path = _kept(tmp_path)
    for use in (lambda: kept.find("told", "k"), lambda: kept.use([("told", "k"), ("told", "other")])):
        long_ago = path.stat().st_mtime - 10 * YOUNG_SECONDS
        os.utime(path, (long_ago, long_ago))
        use()
        assert kept.sweep(long_ago + 5 * YOUNG_SECONDS) == 0
    stamp = path.stat().st_mtime_ns
    kept.find("told", "k")
    assert path.stat().st_mtime_ns == stamp, "so its bytes are not looked at again"


def test_what_another_thread_has_found_to_be_damaged_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kept, path = _kept(tmp_path)
    path.write_bytes(b"cut")

    def found_out_by_both(path: Path, remedy: str) -> Path:
        kept._drop("told-k")  # noqa: SLF001 - the other thread
        return intact(path, remedy)

    monkeypatch.setattr("warehouse.kept.intact", found_out_by_both)
    assert kept.find("told", "k") is None


def test_a_table_may_be_kept_while_another_thread_looks_at_it(tmp_path: Path):
    """In a process of its own: who waits for a frame with the interpreter in hand stops every thread, this one too."""
    program = f"""
import sys
import threading
import polars as pl
from pathlib import Path
from warehouse.kept import Kept

shared = pl.DataFrame({{f"c{{n}}": [1, 2, 3] for n in range(8)}})
is_done = threading.Event()
sys.setswitchinterval(0.0001)

def look():
    while not is_done.is_set():
        shared.columns

threading.Thread(target=look, daemon=True).start()
kept = Kept(Path({str(tmp_path)!r}), holds=False)
for number in range(200):
    kept.put("kind", f"key{{number}}", {{"table": shared}})
is_done.set()
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 0
