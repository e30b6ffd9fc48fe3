"""A made-up history put into an event store, chunk by chunk, and what coding it costs."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from contracts.identity import Resolution
from flows.workspace import load
from tests.bench.drawn import Chunk, chunks, drawn
from tests.bench.memory import peak_mb
from warehouse.store import EventStore

BUILT = "built.jsonl"
"""Of this file in a workspace's folder every line says what a chunk of its events cost."""


def is_built(folder: Path, events: int) -> bool:
    """Whether all of a workspace's events are there."""
    return any(one["events"] == events for one in built(folder))


def built(folder: Path) -> list[dict[str, float]]:
    """What the chunks so far cost."""
    path = folder / BUILT
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def fill(folder: Path, events: int) -> list[dict[str, float]]:
    """Fill the store of a workspace, from where it was left; what every chunk cost, also told on the way."""
    store = EventStore(load(folder).warehouse / "store")
    customers = max(events // 20, 1000)
    known = pl.DataFrame({"customer": np.arange(1, customers + 1, dtype=np.uint32)}).with_columns(
        customer_key=pl.format("c_{}", pl.col("customer"))
    )
    resolution = Resolution(customers=known)
    for chunk in chunks(events):
        if store.head().rows > chunk.row:
            continue
        told = json.dumps(_absorbed(store, chunk, customers, resolution))
        with (folder / BUILT).open("a") as lines:
            lines.write(told + "\n")
        sys.stderr.write(told + "\n")
    return built(folder)


def _absorbed(store: EventStore, chunk: Chunk, customers: int, resolution: Resolution) -> dict[str, float]:
    """Draw a chunk and absorb it; what that cost."""
    began = time.process_time()
    events = drawn(chunk, customers)
    drawn_at = time.process_time()
    before = store.head()
    # The resolution is that of the commit before where there is one: it is told apart by being the same.
    known = before.resolution if before.number else resolution
    state = store.absorb(before, events, [], known).state
    coded_at = time.process_time()
    store.sweep(time.time(), commits=1)  # noqa: TID251 - what the commit before wrote, which nobody else reads
    size = sum(path.stat().st_size for path in store.folder.rglob("*.*"))
    return {
        "events": state.rows,
        "drawing_cpu_s": round(drawn_at - began, 1),
        "coding_cpu_s": round(coded_at - drawn_at, 1),
        "coding_us_a_row": round((coded_at - drawn_at) / chunk.events * 1e6, 2),
        "peak_mb": peak_mb(),
        "store_mb": size // 10**6,
    }
