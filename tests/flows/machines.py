"""Machines that share a place in an object store, for tests: what each delivers, publishes and fetches."""

from pathlib import Path

import polars as pl

from flows.restated import HISTORIES
from flows.run import Outcome, run_inline
from flows.workspace import load
from tests.conftest import SETTINGS, Sandbox, build_sandbox
from warehouse.bucket import Bucket, Traffic
from warehouse.mirror import Mirror, mirror_of
from warehouse.releases import Releases
from warehouse.store import EventStore

_OLD = {table.table_name() for table in HISTORIES}


def answers(number: int, count: int = 20) -> list[str]:
    """Answers of some delivery, in two months; some correct those of the one before."""
    return [
        f"{number + which // 15}-{which},p{which % 7}@x.example,2026-0{1 + which % 2}-{which % 27 + 1:02} 10:00:00,"
        f"web,{('order', 'delivery')[which % 2]},{(which + number) % 5 + 1}"
        for which in range(count)
    ]


def deliver(root: Path, number: int) -> None:
    """One file more."""
    Sandbox(root).answers(*answers(number), name=f"answers{number}.csv")


def machine(folder: Path, url: str | None) -> Sandbox:
    """A machine with a workspace of its own, whose warehouse is in a place."""
    sandbox = build_sandbox(folder)
    if url is not None:
        sandbox.write("answerable.yaml", f"{SETTINGS}objects: {url}\n")
    return sandbox


def ran(sandbox: Sandbox) -> Outcome:
    """One run of a machine."""
    return run_inline(load(sandbox.root))


def published(root: Path) -> dict[str, str]:
    """The bytes of every table of the newest release that has no history of its own, hashed."""
    release = Releases(root / "warehouse/published").head()
    assert release is not None
    found = {one.table: one.sha256 for one in release.tables if one.table not in _OLD}
    assert len(found) > 20
    return found


def mirror(root: Path) -> Mirror:
    """What is behind a machine's warehouse."""
    load(root)
    found = mirror_of(root / "warehouse/store")
    assert found is not None
    return found


def traffic(root: Path) -> Traffic:
    """What went to and fro for a machine so far; from now on it is counted anew."""
    behind = mirror(root)
    counted = Traffic(
        dict(behind.bucket.traffic.requests), behind.bucket.traffic.sent, behind.bucket.traffic.received
    )
    behind.bucket.traffic.requests.clear()
    behind.bucket.traffic.sent = behind.bucket.traffic.received = 0
    return counted


def assert_whole(url: str, folder: Path) -> tuple[int, int]:
    """Everything that any commit and any release in a place names is there, as its name promises; the newest numbers."""
    sandbox = machine(folder, url)
    behind, there = mirror(sandbox.root), Bucket(url)
    names = {one.name for part in ("store", "published") for one in there.list(part)}
    store, releases = (
        kind(sandbox.root / f"warehouse/{part}")
        for kind, part in ((EventStore, "store"), (Releases, "published"))
    )
    for number in store.manifests.numbers():
        for path in store.at(number).files():
            assert behind.name(path) in names, f"commit {number}"
            assert behind.fetch(path)
    for number in releases.manifests.numbers():
        for one in releases.read(number).tables:
            assert behind.name(releases.root / one.path) in names, f"release {number}"
            assert behind.fetch(releases.root / one.path)
    ids = (
        store.head().scan(["event_id"]).collect()["event_id"]
        if store.head().months
        else pl.Series(dtype=pl.String)
    )
    assert ids.n_unique() == len(ids) == store.head().rows
    return store.head().number, releases.manifests.head()
