"""Which texts a file of codes has, found without reading the file: columns of many values.

codes/<column>-<hash>.ids    beside codes/<column>-<hash>.parquet

An index is a table of hashes, see `warehouse.lines`, with the place of every text, then where each text begins, then the
texts. A hit is believed if the text is the one that is looked for; if it is another one, only the file itself can tell:
two texts have one hash, or the index is damaged where no line says so. The other way round, the text in a row is
believed if a look-up of it says that it is in this row.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import StoreError
from warehouse import lines
from warehouse.event_ids import index_of
from warehouse.files import accessing, at_hand, bits_of, intact
from warehouse.lines import DamagedError, Kind, Lines
from warehouse.months import LOST

_KIND = Kind(b"texts001", np.dtype("<u8"), 32)
_WORD = np.dtype("<u8")
_ROOM = 1 << 20
TEXT_BYTES = 1 << 10
"""Texts that have more bytes on average, beyond a megabyte of them, are read from their file."""
_HEIGHTS: dict[Path, int] = {}
_HEIGHTS_MAX = 4096


def height_of(path: Path) -> int:
    """How many texts a file of codes has; asked once a process, for such a file never changes.

    Raises:
        StoreError: It is missing or cannot be read.
    """
    if not at_hand(path).exists():
        raise StoreError.at(str(path), "is missing.", LOST)
    if path not in _HEIGHTS:
        try:
            rows = pq.read_metadata(path).num_rows
        except (pa.ArrowInvalid, OSError):
            rows = pl.read_parquet(intact(path, LOST), glob=False).height
        if len(_HEIGHTS) >= _HEIGHTS_MAX:
            _HEIGHTS.clear()
        _HEIGHTS[path] = rows
    return _HEIGHTS[path]


def write_index(path: Path, texts: pl.Series) -> None:
    """Write the index of a file of codes, unless there is one.

    Args:
        path: The file.
        texts: What is in it: no null, and no text twice.
    """
    if index_of(path).exists():
        return
    hashes = lines.hashes(texts)
    order = np.argsort(hashes, kind="stable")
    sizes = texts.str.len_bytes().to_numpy().astype(_WORD)
    begins = np.concatenate([np.zeros(1, dtype=_WORD), np.cumsum(sizes, dtype=_WORD)])
    content = _bytes(texts)
    lines.write(index_of(path), _KIND, hashes[order], bits_of(path), order, [begins, content])


def places_of(path: Path, texts: pl.Series) -> np.ndarray:
    """Places of texts in a file of codes, from 1 on; 0 for those that are not in it.

    A missing or damaged index is made anew first.

    Raises:
        StoreError: The file is missing, or has to be read and is damaged.
    """
    rows = height_of(path)
    try:
        return _search(path, rows, texts)
    except (DamagedError, OSError, ValueError):
        with accessing(path):
            index_of(path).unlink(missing_ok=True)
        write_index(path, _read(path))
        return _search(path, rows, texts)


def texts_of(path: Path, rows: np.ndarray) -> pl.Series | None:
    """Texts in some rows of a file of codes, without reading it; None where its index cannot tell.

    A text is believed if it is one that the index finds in the row that it is read for.

    Args:
        path: The file.
        rows: Numbers of rows.
    """
    try:
        index = _Index.of(path, height_of(path))
        texts = index.texts(rows)
        asked, there = index.table.find(lines.hashes(texts))
        is_there = np.zeros(rows.size, dtype=bool)
        is_there[asked[there == rows[asked]]] = True
    except (DamagedError, OSError, ValueError):
        return None  # the file itself can tell
    return texts if is_there.all() else None


@dataclass(frozen=True)
class _Index:
    """An index that lies open.

    Attributes:
        table: Places of texts by their hashes.
        begins: Where each text begins, and where the last one ends.
        content: All texts, one after the other.
    """

    table: Lines
    begins: np.ndarray
    content: np.ndarray

    @classmethod
    def of(cls, path: Path, rows: int) -> "_Index":
        """The index of a file of so many texts.

        Raises:
            DamagedError: It is cut.
            OSError: It is missing.
        """
        pages = lines.pages(index_of(path))
        table = Lines.of(_KIND, pages, rows, bits_of(path))
        content_at = table.end + (rows + 1) * _WORD.itemsize
        if len(pages) < content_at:
            raise DamagedError
        begins = np.frombuffer(pages, _WORD, rows + 1, table.end)
        return cls(table, begins, np.frombuffer(pages, np.uint8, len(pages) - content_at, content_at))

    def texts(self, rows: np.ndarray) -> pl.Series:
        """Texts in some rows.

        Raises:
            DamagedError: There are no such texts.
            ValueError: They are none.
        """
        begins, ends = (self.begins[rows + after].astype(np.int64) for after in (0, 1))
        if (begins < 0).any() or (begins > ends).any() or (ends > self.content.size).any():
            raise DamagedError
        if (ends - begins).sum() > max(_ROOM, rows.size * TEXT_BYTES):
            raise DamagedError  # no texts are as long as that
        edges = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(ends - begins)])
        told = self.content[_bytes_between(begins, ends)]
        held = pa.LargeStringArray.from_buffers(rows.size, pa.py_buffer(edges), pa.py_buffer(told))
        held.validate(full=True)
        return pl.Series(held, dtype=pl.String)


def _bytes_between(begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Places of all bytes from each beginning up to its end, one stretch after the other."""
    sizes = ends - begins
    until = np.cumsum(sizes)
    return np.arange(sizes.sum()) + np.repeat(begins - (until - sizes), sizes)


def _search(path: Path, rows: int, texts: pl.Series) -> np.ndarray:
    index = _Index.of(path, rows)
    asked, there = index.table.find(lines.hashes(texts))
    if there.size and there.max() >= rows:
        raise DamagedError
    same = _are(index.content, index.begins[there], index.begins[there + 1], texts.gather(asked))
    places = np.zeros(texts.len(), dtype=np.int64)
    places[asked[same]] = there[same] + 1
    left = np.unique(asked[~same][places[asked[~same]] == 0])
    if left.size:
        places[left] = _looked_up(path, texts.gather(left))
    return places


def _are(content: np.ndarray, begins: np.ndarray, ends: np.ndarray, texts: pl.Series) -> np.ndarray:
    """Whether texts are the ones that lie between some bytes.

    Raises:
        DamagedError: There are no such bytes.
    """
    if (begins > ends).any() or (ends > content.size).any():
        raise DamagedError
    # Byte by byte, all of them at once, those alone that are of one length.
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    until = np.cumsum(sizes)
    same = (ends - begins).astype(np.int64) == sizes
    starts, begins = until - sizes, begins.astype(np.int64)
    sizes = np.where(same, sizes, 0)
    compared = np.cumsum(sizes)
    told = _bytes(texts)[_bytes_between(starts, starts + sizes)]
    differ = content[_bytes_between(begins, begins + sizes)] != told
    count = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(differ)])
    return same & (count[compared] == count[compared - sizes])


def _bytes(texts: pl.Series) -> np.ndarray:
    """All texts, one after the other."""
    return np.frombuffer((texts.str.join("").item() or "").encode(), dtype=np.uint8)


def _looked_up(path: Path, texts: pl.Series) -> np.ndarray:
    """As `places_of`, by reading the file."""
    known = pl.DataFrame({"value": _read(path)}).with_row_index("place", offset=1)
    told = pl.DataFrame({"value": texts})
    return told.join(known, on="value", how="left", maintain_order="left")["place"].fill_null(0).to_numpy()


def _read(path: Path) -> pl.Series:
    return pl.read_parquet(intact(path, LOST), glob=False).to_series()
