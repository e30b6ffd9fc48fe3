"""Texts of some codes, read piece by piece: the same as those of all, whatever pieces and files they stand in."""

from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import StoreError
from warehouse import coder
from warehouse.coder import FEW, Texts, texts_at
from warehouse.files import keep

TEXT = st.none() | st.text(alphabet="ab\u00e4\U0001f600 ", max_size=20)


def kept(folder: Path, texts: list[str | None]) -> Path:
    frame = pl.DataFrame({"value": pl.Series(texts, dtype=pl.String)})
    return keep(folder, "subject_id", ".parquet", lambda to: frame.write_parquet(to, row_group_size=3)).path


@settings(max_examples=100, deadline=None)
@given(
    files=st.lists(st.lists(TEXT, max_size=12), max_size=4),
    read_rows=st.integers(1, 13),
    drawn=st.lists(st.integers(0, 60), max_size=20, unique=True),
)
def test_some_codes_stand_for_what_they_stand_for_among_all(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[str | None]],
    read_rows: int,
    drawn: list[int],
):
    folder = tmp_path_factory.mktemp("store")
    paths = [kept(folder / "codes", texts) for texts in files]
    every = [text for texts in files for text in texts]
    codes = np.array(sorted(code + 1 for code in drawn if code < len(every)), dtype=np.uint32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coder, "READ_ROWS", read_rows)
        found = Texts(folder, {"subject_id": [str(path.relative_to(folder)) for path in paths]}).some(
            "subject_id", codes
        )
    assert found.dtype == pl.String
    assert found.to_list() == [every[code - 1] for code in codes.tolist()]


def test_a_column_that_nobody_ever_told_of_has_no_texts(tmp_path: Path):
    assert Texts(tmp_path, {}).some("subject_id", np.array([], dtype=np.uint32)).to_list() == []


def test_of_no_rows_no_text_is_read(tmp_path: Path):
    path = kept(tmp_path, ["a", "b"])
    assert texts_at(path, "value", np.array([], dtype=np.int64)).to_list() == []


def test_a_damaged_file_is_refused(tmp_path: Path):
    path = kept(tmp_path, ["a", "b"])
    path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2", 1))
    with pytest.raises(StoreError, match="damaged"):
        texts_at(path, "value", np.array([0]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.text(alphabet="ab", max_size=3), min_size=1, max_size=5), max_size=3),
    st.data(),
)
def test_hashes_of_codes_are_those_of_what_they_stand_for_whatever_file_it_stands_in(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[str]], data: st.DataObject
):
    folder = tmp_path_factory.mktemp("store")
    paths = [kept(folder / "codes", texts) for texts in files]
    every = [text for texts in files for text in texts]
    told = Texts(folder, {"subject_id": [str(path.relative_to(folder)) for path in paths]}).hashes(
        "subject_id"
    )
    codes = data.draw(st.lists(st.integers(0, len(every)), max_size=12))
    for kind, few in product((np.uint16, np.uint32), (0, FEW)):
        with patch.object(coder, "FEW", few):
            found = told.look_up(np.array(codes, dtype=kind)).tolist()
        expected = pl.Series([*every], dtype=pl.String).hash().to_list()
        assert found == [expected[code - 1] if code else 0 for code in codes]
        with pytest.raises(
            StoreError, match=f"subject_id: has {len(every)} texts and none for the code {len(every) + 1}"
        ):
            told.look_up(np.array([*codes, len(every) + 1], dtype=kind))
