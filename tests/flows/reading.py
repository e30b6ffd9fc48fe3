"""What lies in a warehouse, read back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from contracts.deliveries import Delivery
from flows.landing import Setting, land_feed
from flows.stages import absorb
from tests.conftest import Sandbox
from warehouse.store import Absorbed, EventStore


@dataclass(frozen=True)
class Taken:
    """What the first half of a run did: landing and absorbing, which is quicker than all of it.

    Attributes:
        absorbed: What became of events.
        read: Deliveries that were read or told anew.
    """

    absorbed: Absorbed
    read: tuple[Delivery, ...]

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every delivery so far."""
        return self.absorbed.state.deliveries

    @property
    def held(self) -> list[Delivery]:
        """Deliveries that are held."""
        return [delivery for delivery in self.deliveries if delivery.state == "held"]


def take(sandbox: Sandbox) -> Taken:
    """Land what the feeds offer and absorb it."""
    workspace = sandbox.load()
    store = EventStore(workspace.warehouse / "store")
    state = store.head()
    landings = [land_feed(Setting(workspace, store, state), feed) for feed in workspace.feeds]
    absorbed = absorb(workspace, store, state, landings)
    return Taken(absorbed, tuple(delivery for landing in landings for delivery in landing.read))


def rejects(root: Path, delivery: Delivery) -> pl.DataFrame:
    """A delivery's rejects, from the landing."""
    return pl.read_parquet(root / "warehouse/store" / delivery.parts["rejects"])


def words_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below a folder as text; Parquet as the texts of all its columns."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        raw = path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            raw += "\n".join(str(value) for column in frame for value in column.to_list())
        yield path, raw
