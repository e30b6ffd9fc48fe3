"""Tables of hashes: what is in them is found, from either side, and what is damaged is told."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import lines
from warehouse.lines import DamagedError, Kind, Lines, Sought

NARROW = Kind(b"narrow01", np.dtype("<u4"), 6)
WIDE = Kind(b"wide0001", np.dtype("<u8"), 32)
IN_NUMBER = np.uint64(63)
KEYS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 64, 128, 2**32, 2**38, 2**63, 2**64 - 64]),
    st.integers(0, 400),
)


def table(path: Path, kind: Kind, keys: list[int], numbers: list[int]) -> Lines:
    pairs = sorted(zip(keys, numbers, strict=True))
    told = np.array([key for key, _ in pairs], dtype=np.uint64)
    lines.write(path, kind, told, 7, np.array([number for _, number in pairs], dtype=np.int64))
    return Lines.of(kind, lines.pages(path), len(pairs), 7)


def pairs(found: tuple[np.ndarray, np.ndarray]) -> set[tuple[int, int]]:
    return set(zip(found[0].tolist(), found[1].tolist(), strict=True))


@pytest.mark.parametrize("kind", [NARROW, WIDE], ids=["narrow", "wide"])
@settings(max_examples=150, deadline=None)
@given(stored=st.lists(KEYS, max_size=300), asked=st.lists(KEYS, max_size=40), take=st.integers(0, 40))
def test_whatever_is_in_a_table_is_found_and_what_else_is_found_begins_alike(
    tmp_path_factory: pytest.TempPathFactory, kind: Kind, stored: list[int], asked: list[int], take: int
):
    stored, asked = [key & ~63 for key in stored], [key & ~63 for key in [*asked, *stored[:take]]]
    numbers = [place % 64 for place in range(len(stored))]
    found_in = table(tmp_path_factory.mktemp("lines") / "t.ids", kind, stored, numbers)
    right = {
        (place, number)
        for place, key in enumerate(asked)
        for other, number in zip(stored, numbers, strict=True)
        if key == other
    }
    keys = np.array(asked, dtype=np.uint64)
    found_in.believe_all()
    for found in (found_in.find(keys), found_in.find_among(Sought(keys))):
        assert right <= pairs(found)
        known = 64 - found_in.bits - kind.hash_bits
        for place, number in pairs(found) - right:
            assert any(
                asked[place] >> known == other >> known and number == its
                for other, its in zip(stored, numbers, strict=True)
            )


def test_what_has_no_room_in_its_line_is_found_all_the_same(tmp_path: Path):
    keys = [64 * number for number in range(500)]  # all of them of the first line
    found_in = table(tmp_path / "t.ids", NARROW, keys, [number % 64 for number in range(500)])
    assert found_in.spilled.size == 500 - NARROW.room
    for found in (
        found_in.find(np.array(keys, np.uint64)),
        found_in.find_among(Sought(np.array(keys, np.uint64))),
    ):
        assert {place for place, number in pairs(found) if number == place % 64} == set(range(500))


def test_a_look_up_touches_its_line_alone_and_says_when_that_is_damaged(tmp_path: Path):
    draw = np.random.default_rng(3)
    keys = np.sort(draw.integers(0, 2**64, 4_000, dtype=np.uint64) & ~IN_NUMBER)
    path = tmp_path / "t.ids"
    table(path, NARROW, keys.tolist(), [5] * keys.size)
    content = bytearray(path.read_bytes())
    content[64 + 64 * 3 + 9] ^= 1
    path.write_bytes(content)
    hurt = Lines.of(NARROW, lines.pages(path), keys.size, 7)
    line = (keys >> np.uint64(64 - hurt.bits)).astype(int)
    assert pairs(hurt.find(keys[line != 3])) >= {(place, 5) for place in range((line != 3).sum())}
    with pytest.raises(DamagedError):
        hurt.find(keys[line == 3])
    with pytest.raises(DamagedError):
        hurt.believe_all()


def test_lines_that_changed_places_or_are_of_another_file_are_not_believed(tmp_path: Path):
    keys = np.sort(np.random.default_rng(4).integers(0, 2**64, 400, dtype=np.uint64) & ~IN_NUMBER)
    path = tmp_path / "t.ids"
    table(path, NARROW, keys.tolist(), [1] * keys.size)
    content = path.read_bytes()
    path.write_bytes(content[:64] + content[128:192] + content[64:128] + content[192:])
    with pytest.raises(DamagedError):
        Lines.of(NARROW, lines.pages(path), keys.size, 7).find(keys)
    path.write_bytes(content)
    for rows, name in ((keys.size, 8), (keys.size - 1, 7)):
        with pytest.raises(DamagedError):
            Lines.of(NARROW, lines.pages(path), rows, name)
