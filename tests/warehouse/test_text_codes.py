"""Texts of a file of codes, found without reading it: by what hashes say and the texts themselves bear out."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import StoreError
from warehouse import lines, text_codes
from warehouse.event_ids import index_of
from warehouse.files import keep
from warehouse.text_codes import places_of, texts_of, write_index

TEXT = st.text(alphabet="ab\u00e4\U0001f600 ", max_size=4)


def kept(folder: Path, texts: list[str]) -> Path:
    frame = pl.DataFrame({"value": pl.Series(texts, dtype=pl.String)})
    path = keep(folder, "subject_id", ".parquet", frame.write_parquet).path
    write_index(path, frame["value"])
    return path


def places(path: Path, texts: list[str]) -> list[int]:
    return places_of(path, pl.Series(texts, dtype=pl.String)).tolist()


@pytest.mark.parametrize("bits", [64, 2, 0], ids=["as it is", "two bits", "none"])
@settings(max_examples=60, deadline=None)
@given(known=st.lists(TEXT, unique=True, max_size=60), asked=st.lists(TEXT, unique=True, max_size=60))
def test_a_text_has_its_place_however_many_texts_have_its_hash(
    tmp_path_factory: pytest.TempPathFactory, bits: int, known: list[str], asked: list[str]
):
    real = lines.hashes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "hashes", lambda texts: real(texts) & np.uint64((1 << bits) - 1))
        lines.version.cache_clear()
        path = kept(tmp_path_factory.mktemp("codes"), known)
        try:
            assert places(path, asked) == [known.index(text) + 1 if text in known else 0 for text in asked]
        finally:
            lines.version.cache_clear()


def test_a_file_is_not_read_to_find_what_it_has_and_what_it_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = kept(tmp_path, [f"t{number}" for number in range(5_000)])
    monkeypatch.setattr(text_codes, "_read", None)
    assert places(path, ["t17", "t4999", "new", "t0", ""]) == [18, 5_000, 0, 1, 0]


@pytest.mark.parametrize("bits", [64, 2, 0], ids=["as it is", "two bits", "none"])
@settings(max_examples=60, deadline=None)
@given(known=st.lists(TEXT, unique=True, min_size=1, max_size=60), data=st.data())
def test_some_texts_are_told_without_reading_the_file(
    tmp_path_factory: pytest.TempPathFactory, bits: int, known: list[str], data: st.DataObject
):
    rows = data.draw(st.lists(st.integers(0, len(known) - 1), max_size=20))
    real = lines.hashes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "hashes", lambda texts: real(texts) & np.uint64((1 << bits) - 1))
        patch.setattr(text_codes, "_read", None)
        lines.version.cache_clear()
        path = kept(tmp_path_factory.mktemp("codes"), known)
        try:
            found = texts_of(path, np.array(rows, dtype=np.int64))
        finally:
            lines.version.cache_clear()
    assert found is not None
    assert found.dtype == pl.String
    assert found.to_list() == [known[row] for row in rows]


def test_of_a_damaged_index_no_other_text_is_told_than_the_one_that_is_there(tmp_path: Path):
    texts = [f"t{number}" for number in range(1_000)]
    path = kept(tmp_path, texts)
    index = index_of(path)
    whole, rows, refused = index.read_bytes(), np.arange(1_000), 0
    for at in range(0, len(whole), 211):
        index.write_bytes(_flipped(whole, at))
        for some in np.array_split(rows, 20):
            found = texts_of(path, some)
            refused += found is None
            assert found is None or found.to_list() == [texts[row] for row in some]
    assert refused > 100
    # Where a text begins, behind the lines: what is no number of bytes asks for no room.
    begins_at = whole.index(np.cumsum([len(text) for text in texts[:9]]).astype("<u8").tobytes())
    for word in (2**64 - 1, 0xFFFFFFFF00000000, 2**63, len(whole) * 2, 0):
        index.write_bytes(whole[:begins_at] + word.to_bytes(8, "little") + whole[begins_at + 8 :])
        for some in (rows[:2], rows):
            found = texts_of(path, some)
            assert found is None or found.to_list() == [texts[row] for row in some]
    index.unlink()
    assert texts_of(path, rows) is None


@pytest.mark.parametrize(
    "hurt",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-9]), id="cut"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:400]), id="cut short"),
        pytest.param(lambda path: path.write_bytes(bytes(path.stat().st_size)), id="zeros"),
        *(
            pytest.param(
                lambda path, at=at: path.write_bytes(_flipped(path.read_bytes(), at)), id=f"byte {at}"
            )
            for at in (0, 9, 17, 25, 33, 57, 64, 100, 16_000, -1, -2_000, -5_500, -8_000, -12_000)
        ),
    ],
)
def test_a_missing_or_damaged_index_makes_no_text_a_new_one(tmp_path: Path, hurt: Any):
    texts = [f"t{number}" for number in range(1_000)]
    path = kept(tmp_path, texts)
    hurt(index_of(path))
    assert places(path, [*texts, "new"]) == [*range(1, 1_001), 0]


def _flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 64
    return bytes(changed)


def test_a_file_that_is_gone_is_told(tmp_path: Path):
    path = kept(tmp_path, ["a"])
    path.unlink()
    with pytest.raises(StoreError, match=r"is missing\. Restore it from a backup"):
        places(path, ["a"])
