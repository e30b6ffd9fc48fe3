"""Files of tables that may have millions of rows: a slice at a time, each column as it costs least.

Texts of which there are few come as Enum where they are few codes already, and become dictionaries without one text
being hashed. The file has them as plain texts: who reads it sees no difference, nor do its bytes say how its rows came.
"""

import base64
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

SLICE_ROWS = 100_000
"""So many rows are checked at once, and are a row group: all of them at once would take as much memory again."""
SAMPLE = 1024
"""Texts have a dictionary where not even half of so many, from all over the rows, are different."""
LEVEL = 1
"""Of zstd: at 3 files are half a percent smaller and take a third longer to write."""
_SCHEMA = "ARROW:schema"


def write(
    path: Path, rows: pl.DataFrame, keys: Collection[str], schema: pa.Schema, metadata: Mapping[str, str]
) -> None:
    """Write rows that keep their table's contract.

    Args:
        path: Where to.
        rows: Of the table's types, or Enum in place of texts.
        keys: Texts by which rows are found: files say the least and the greatest of these, and of all that is no text.
        schema: The Arrow schema that the file says it has: for dictionaries, pyarrow would say another one.
        metadata: What else it says.
    """
    texts = [name for name, kind in rows.schema.items() if kind in (pl.String, pl.Enum)]
    sample = rows.select(texts).gather_every(max(rows.height // SAMPLE, 1))
    few = [name for name in texts if 2 * sample[name].n_unique() < max(sample.height, SAMPLE)]
    slices = (_of_arrow(rows[begin : begin + SLICE_ROWS], few) for begin in range(0, rows.height, SLICE_ROWS))
    first = next(slices, None) or _of_arrow(rows, few)
    with pq.ParquetWriter(
        path,
        first.schema,
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=[*few, *(name for name, kind in rows.schema.items() if kind.is_integer())],
        write_statistics=[name for name in rows.columns if name in keys or name not in texts],
        store_schema=False,
    ) as writer:
        writer.write_table(first)
        for one in slices:
            writer.write_table(one)
        said = base64.b64encode(schema.serialize().to_pybytes()).decode()
        writer.add_key_value_metadata({**metadata, _SCHEMA: said})


def _of_arrow(rows: pl.DataFrame, few: Collection[str]) -> pa.Table:
    # In one piece each: bytes would say where others begin.
    columns = {one.name: one.rechunk().to_arrow() for one in rows}
    return pa.table({name: _few(one) if name in few else _plain(one) for name, one in columns.items()})


def _few(texts: pa.Array) -> pa.DictionaryArray:
    """Texts with a dictionary of those that there are, in the order in which they come first."""
    if not pa.types.is_dictionary(texts.type):
        return texts.dictionary_encode()
    codes = texts.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(codes.indices, texts.dictionary.take(codes.dictionary))


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
