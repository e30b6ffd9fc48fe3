"""Files that are written once."""

import hashlib
import os
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import StoreError
from tests.warehouse.dying import every_death
from warehouse.files import Summed, create, digest_of_sums, hash_of_promise, intact, keep, promised, sweep

REMEDY = "Fetch it."


def writes(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def summed(path: Path, pieces: list[np.ndarray], of: int) -> str:
    """Write pieces, each from a multiple of so many bytes on."""
    with path.open("wb") as opened:
        file = Summed(opened)
        for piece in pieces:
            at = file.skip_to_multiple(of)
            assert at == opened.tell()
            file.write(piece)
    return file.digest(path)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if not path.is_dir()}


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk does to whoever writes, for everybody in this process, Rust and C++ included."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_name_is_given_once_and_its_first_content_stays(tmp_path: Path):
    path = tmp_path / "new/folder/1.json"
    assert create(path, b"first")
    assert not create(path, b"second")
    assert path.read_bytes() == b"first"
    assert files(tmp_path) == {"1.json"}


def test_creating_dies_at_any_step_and_the_file_is_whole_or_not_there(tmp_path: Path):
    folders = iter(tmp_path / str(number) for number in range(100))

    def judge(folder: Path) -> None:
        left = folder / "below/1.json"
        assert not left.exists() or left.read_bytes() == b"content"
        create(left, b"content")
        assert left.read_bytes() == b"content"

    steps = every_death(lambda: next(folders), lambda to: create(to / "below/1.json", b"content"), judge)
    assert steps > 4


def test_the_same_content_is_kept_once_and_other_content_beside_it(tmp_path: Path):
    first, is_new = keep(tmp_path, "month", ".parquet", writes(b"one"))
    inode = first.stat().st_ino
    assert is_new
    assert keep(tmp_path, "month", ".parquet", writes(b"one")) == (first, False)
    assert first.stat().st_ino == inode
    other = keep(tmp_path, "month", ".parquet", writes(b"two")).path
    assert other != first
    assert first.read_bytes() == b"one"
    assert blake3(b"one").hexdigest().startswith(first.stem.removeprefix("month-"))
    assert files(tmp_path) == {first.name, other.name}


def test_a_file_found_again_counts_as_young_so_no_sweep_takes_it_from_who_is_about_to_name_it(tmp_path: Path):
    path = keep(tmp_path, "month", ".parquet", writes(b"one")).path
    os.utime(path, (1, 1))
    keep(tmp_path, "month", ".parquet", writes(b"one"))
    assert sweep(tmp_path, set(), older_than=1_000_000_000) == 0
    assert path.exists()


def test_keeping_dies_at_any_step_and_no_name_lies_about_its_content(tmp_path: Path):
    folders = iter(tmp_path / str(number) for number in range(100))

    def judge(folder: Path) -> None:
        for path in folder.rglob("x-*"):
            intact(path, REMEDY)
        path = keep(folder / "data", "x", ".bin", writes(b"content")).path
        assert intact(path, REMEDY).read_bytes() == b"content"

    steps = every_death(
        lambda: next(folders), lambda to: keep(to / "data", "x", ".bin", writes(b"content")), judge
    )
    assert steps > 4


def test_a_file_that_was_named_by_sha256_is_held_to_its_name(tmp_path: Path):
    path = tmp_path / f"month-{hashlib.sha256(b'one').hexdigest()[:16]}.parquet"
    path.write_bytes(b"one")
    assert intact(path, REMEDY) == path
    path.write_bytes(b"two")
    with pytest.raises(StoreError, match="is damaged"):
        intact(path, REMEDY)


@pytest.mark.parametrize("made", [hashlib.sha256(b"one").hexdigest()[:16], blake3(b"one").hexdigest()[:20]])
def test_a_name_says_how_its_promise_was_made(made: str):
    promise = promised(Path(f"months/2026-05-{made}.parquet"))
    found = hash_of_promise(promise)
    found.update(b"one")
    assert promise == made
    assert found.hexdigest().startswith(promise)


@pytest.mark.parametrize("damage", [b"", b"on", b"onE", b"one and more"])
def test_a_file_that_was_cut_or_changed_is_found_out_before_it_is_read(tmp_path: Path, damage: bytes):
    path = keep(tmp_path, "month", ".parquet", writes(b"one")).path
    assert intact(path, REMEDY) == path
    path.write_bytes(damage)
    with pytest.raises(
        StoreError, match=r"is damaged: its content is not what its name promises\. Fetch it\."
    ) as error:
        intact(path, REMEDY)
    assert error.value.problems[0].where == str(path)
    with pytest.raises(StoreError, match="Delete it and run again"):
        keep(tmp_path, "month", ".parquet", writes(b"one"))
    path.unlink()
    with pytest.raises(StoreError, match=r"is missing\. Fetch it\."):
        intact(path, REMEDY)
    assert keep(tmp_path, "month", ".parquet", writes(b"one"))[0].read_bytes() == b"one"


@pytest.mark.parametrize(
    "write",
    [
        writes(bytes(1_000_000)),
        lambda path: pl.DataFrame({"x": range(100_000)}).write_parquet(path, compression="uncompressed"),
        lambda path: pl.LazyFrame({"x": range(100_000)}).sink_parquet(path, compression="uncompressed"),
    ],
    ids=["python", "polars", "polars streaming"],
)
def test_a_disk_that_is_full_is_told_in_a_sentence_and_leaves_nothing(tmp_path: Path, write):
    with (
        no_file_larger_than(50_000),
        pytest.raises(StoreError, match=r"File too large\. Make room, then run again"),
    ):
        keep(tmp_path, "month", ".parquet", write)
    assert files(tmp_path) == set()
    path = keep(tmp_path, "month", ".parquet", write).path
    intact(path, REMEDY)


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file: cannot be used: File exists\. See whether"):
        keep(tmp_path / "file/below", "month", ".parquet", writes(b"one"))


def test_a_defect_of_ours_is_not_passed_off_as_a_disk_that_fails(tmp_path: Path):
    def wrong(_: Path) -> None:
        pl.select(pl.lit("x").str.to_integer())

    with pytest.raises(pl.exceptions.ComputeError):
        keep(tmp_path, "month", ".parquet", wrong)
    assert files(tmp_path) == set()


def test_a_sweep_takes_what_is_old_and_not_named_and_nothing_else(tmp_path: Path):
    named, old, young = (keep(tmp_path / "a", "x", ".bin", writes(one))[0] for one in (b"1", b"2", b"3"))
    part = tmp_path / "a/.x.killed.part"
    part.touch()
    for path in (named, old, part):
        os.utime(path, (1, 1))
    assert sweep(tmp_path, {str(named)}, older_than=1_000_000_000) == 2
    assert files(tmp_path) == {named.name, young.name}
    assert sweep(tmp_path / "never made", set(), older_than=1_000_000_000) == 0


@pytest.mark.parametrize("size", [0, 5, 8, 65_536, 65_536 * 3, 65_536 * 3 + 13])
def test_sums_over_bytes_tell_of_any_byte_that_is_another_one_and_of_blocks_out_of_place(
    tmp_path: Path, size: int
):
    path, drawn = tmp_path / "some.tables", random.Random(7)
    content = drawn.randbytes(size)
    path.write_bytes(content)
    found = digest_of_sums(path)
    assert digest_of_sums(path) == found
    for _ in range(20 if size else 0):
        place = drawn.randrange(size)
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << drawn.randrange(8)]) + content[place + 1 :]
        )
        assert digest_of_sums(path) != found
    others = [content + b"\0", content[:-1], content[65_536:] + content[:65_536], bytes(size)]
    for other in others:
        path.write_bytes(other)
        assert (digest_of_sums(path) == found) == (other == content)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 400_000), max_size=9), st.sampled_from([1, 2, 8, 64]), st.randoms())
def test_what_is_summed_up_while_it_is_written_is_what_its_sums_say(
    sizes: list[int], of: int, drawn: random.Random
):
    content = [np.frombuffer(drawn.randbytes(size), np.uint8) for size in sizes]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "some.tables"
        found = summed(path, content, of)
        assert found == digest_of_sums(path)
        whole = b"".join(one.tobytes().ljust(-(-one.size // of) * of, b"\0") for one in content)
        assert whole.rstrip(b"\0") == path.read_bytes().rstrip(b"\0")


def test_what_says_its_name_while_it_is_written_is_held_to_it(tmp_path: Path):
    numbers = np.arange(300_000)
    path = keep(tmp_path, "t", ".tables", lambda to: summed(to, [numbers], 64)).path
    assert path == keep(tmp_path, "t", ".tables", writes(numbers.tobytes())).path
    path.write_bytes(numbers.tobytes()[:-1])
    with pytest.raises(StoreError, match="is damaged"):
        intact(path, "Delete it.")


def test_what_is_named_by_sums_is_found_out_when_it_is_damaged(tmp_path: Path):
    path = keep(tmp_path, "t", ".tables", writes(b"x" * 100_000)).path
    assert intact(path, "") == path
    path.write_bytes(b"x" * 50_000 + b"y" + b"x" * 49_999)
    with pytest.raises(StoreError, match="is damaged"):
        intact(path, "Delete it.")
