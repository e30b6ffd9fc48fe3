"""Which texts a file of codes has, found without reading the file: columns of many values.

codes/<column>-<hash>.ids    beside codes/<column>-<hash>.parquet

An index is a table of hashes, see `warehouse.lines`, with the place of every text, then where each text begins, then the
texts. A hit is believed if the text is the one that is looked for; if it is another one, only the file itself can tell:
two texts have one hash, or the index is damaged where no line says so.
"""

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


def _search(path: Path, rows: int, texts: pl.Series) -> np.ndarray:
    pages = lines.pages(index_of(path))
    table = Lines.of(_KIND, pages, rows, bits_of(path))
    content_at = table.end + (rows + 1) * _WORD.itemsize
    if len(pages) < content_at:
        raise DamagedError
    begins = np.frombuffer(pages, _WORD, rows + 1, table.end)
    asked, there = table.find(lines.hashes(texts))
    if there.size and there.max() >= rows:
        raise DamagedError
    content = np.frombuffer(pages, np.uint8, len(pages) - content_at, content_at)
    same = _are(content, begins[there], begins[there + 1], texts.gather(asked))
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
    sizes = np.where(same, sizes, 0)
    compared = np.cumsum(sizes)
    inner = np.arange(sizes.sum()) - np.repeat(compared - sizes, sizes)
    told = _bytes(texts)[inner + np.repeat(until - sizes, sizes)]
    differ = content[inner + np.repeat(begins.astype(np.int64), sizes)] != told
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
