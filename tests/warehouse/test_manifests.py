"""Numbered manifests: of everything that may happen at once, one thing happens first."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import StoreError
from tests.warehouse.dying import every_death
from warehouse.manifests import Manifests


def committed(folder: Path, count: int) -> Manifests:
    manifests = Manifests(folder)
    for parent in range(count):
        manifests.commit(parent, {"what": f"number {parent + 1}"})
    return manifests


def aged(manifests: Manifests, written_at: list[int]) -> None:
    for number, at in enumerate(written_at, start=1):
        os.utime(manifests.path(number), (at, at))


def test_a_manifest_tells_its_number_and_its_parent(tmp_path: Path):
    manifests = committed(tmp_path / "new", 2)
    assert manifests.head() == 2
    assert manifests.read(2) == {"number": 2, "parent": 1, "what": "number 2"}
    assert Manifests(tmp_path / "none").head() == 0


def test_a_manifest_with_one_bit_that_turned_is_not_believed(tmp_path: Path):
    manifests = committed(tmp_path, 1)
    path, damaged = manifests.path(1), f"{manifests.path(1)}: is damaged: .* Restore it from a backup"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(StoreError, match=damaged):
            manifests.read(1)
    path.write_bytes(whole)
    assert manifests.read(1)["what"] == "number 1"


def test_a_manifest_that_was_written_without_a_hash_is_read_as_it_is(tmp_path: Path):
    manifests = committed(tmp_path, 1)
    manifests.path(1).write_text('{\n"number": 1,\n"parent": 0,\n"what": "old"\n}')
    assert manifests.read(1) == {"number": 1, "parent": 0, "what": "old"}


def test_of_many_writers_with_one_parent_one_wins_and_the_others_learn_of_it(tmp_path: Path):
    manifests = committed(tmp_path, 1)

    def write(who: int) -> str:
        try:
            return f"{who} wrote {manifests.commit(1, {'who': who})}"
        except StoreError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(write, range(1, 9)))
    lost = f"{manifests.path(2)}: was written by another run meanwhile. Run again: nothing is lost."
    assert said.count(lost) == 7
    assert manifests.numbers() == [1, 2]
    assert f"{manifests.read(2)['who']} wrote 2" in said


@pytest.mark.parametrize("parent", [0, 1, 3])
def test_nobody_builds_on_a_parent_that_is_not_the_newest(tmp_path: Path, parent: int):
    manifests = committed(tmp_path, 2)
    manifests.path(1).unlink()  # as a sweep does: its number is not free for that
    with pytest.raises(StoreError, match="meanwhile"):
        manifests.commit(parent, {})
    assert manifests.numbers() == [2]


def test_committing_dies_at_any_step_and_the_newest_is_the_old_one_or_the_new_one_whole(tmp_path: Path):
    folders = iter(tmp_path / str(number) for number in range(100))

    def judge(manifests: Manifests) -> None:
        head = manifests.head()
        assert manifests.read(head)["what"] in ("number 1", "new")
        assert manifests.read(manifests.commit(head, {"what": "next"}))["parent"] == head
        manifests.sweep(manifests.standing(5, since=1e12), older_than=1e12)
        assert {path.name for path in manifests.folder.iterdir()} == {
            manifests.path(number).name for number in range(1, head + 2)
        }

    steps = every_death(
        lambda: committed(next(folders), 1), lambda manifests: manifests.commit(1, {"what": "new"}), judge
    )
    assert steps > 4


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "Expecting value"),
        (b'{"number": 2, "pa', "Unterminated string"),
        (b"\x00" * 64, "Expecting value"),
        (b"\xff" * 9, "codec can't decode"),
        (b"[]", "it is not the manifest of number 2"),
        (b'{"number": 1}', "it is not the manifest of number 2"),
    ],
)
def test_a_damaged_manifest_is_told_with_its_file_and_the_one_before_it_counts_once_it_is_gone(
    tmp_path: Path, content: bytes, what: str
):
    manifests = committed(tmp_path, 2)
    manifests.path(2).write_bytes(content)
    with pytest.raises(StoreError) as error:
        manifests.read(manifests.head())
    said = str(error.value)
    assert said.startswith(f"{manifests.path(2)}: is damaged: ")
    assert what in said
    assert said.endswith("Restore it from a backup, or delete it: the one before then counts again.")
    manifests.path(2).unlink()
    assert manifests.read(manifests.head())["what"] == "number 1"


def test_a_manifest_that_never_was_is_told(tmp_path: Path):
    with pytest.raises(StoreError, match=r"00000003\.json: does not exist\. It may have been swept"):
        committed(tmp_path, 2).read(3)


def test_what_is_no_manifest_has_no_number(tmp_path: Path):
    manifests = committed(tmp_path, 1)
    for name in ("00000002 (copy).json", "_latest.json", ".00000002.json.x.part", "3.json"):
        (tmp_path / name).write_text("{}")
    assert manifests.numbers() == [1]


def test_one_that_was_the_newest_within_the_grace_stands_however_old_it_is(tmp_path: Path):
    manifests = committed(tmp_path, 5)
    aged(manifests, [10, 20, 30, 1000, 2000])
    # Until the instant 1000 the third was the newest: whoever opened it then may still read it.
    assert manifests.standing(1, since=500) == [3, 4, 5]
    assert manifests.standing(4, since=500) == [2, 3, 4, 5]
    assert manifests.standing(1, since=5000) == [5]


@settings(max_examples=40, deadline=None)
@given(
    written_at=st.lists(st.integers(0, 100), min_size=1, max_size=12).map(sorted),
    newest=st.integers(1, 4),
    since=st.integers(0, 110),
)
def test_a_sweep_keeps_the_newest_few_and_every_one_that_was_newest_within_the_grace(
    tmp_path_factory: pytest.TempPathFactory, written_at: list[int], newest: int, since: int
):
    with patch.object(os, "fsync"):  # no power fails here, and it takes its time
        manifests = committed(tmp_path_factory.mktemp("manifests"), len(written_at))
    aged(manifests, written_at)
    manifests.sweep(manifests.standing(newest, since), since)
    overtaken_at = dict(enumerate(written_at[1:], start=1))
    numbers = range(1, len(written_at) + 1)
    assert manifests.numbers() == [
        number for number in numbers if number > len(written_at) - newest or overtaken_at[number] >= since
    ]
