"""The warehouse in an object store: what a machine publishes there is what it publishes here, and another goes on."""

import json
import shutil
import time
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from contracts.errors import StoreError, WorkspaceError
from flows.workspace import load
from tests.conftest import SETTINGS, Call
from tests.flows.machines import assert_whole, deliver, machine, mirror, published, ran, traffic
from tests.object_stores import KEY, SECRET, ObjectStore
from warehouse.bucket import Bucket
from warehouse.mirror import mirror_of
from warehouse.releases import Releases
from warehouse.store import EventStore


def test_machines_publish_what_one_alone_does_whoever_goes_on_where_another_ended(
    objects: ObjectStore, tmp_path: Path
):
    url = objects.place()
    here, one, other = (
        machine(tmp_path / name, place) for name, place in (("here", None), ("one", url), ("other", url))
    )
    # What is known from before is known from there: each machine has only the new delivery.
    for number, there in enumerate((one, other, one)):
        for sandbox in (here, there):
            deliver(sandbox.root, number)
        assert ran(here).absorbed.new == (done := ran(there)).absorbed.new > 0
        assert done.release.number == number + 1
        assert published(there.root) == published(here.root)
        states = [EventStore(sandbox.root / "warehouse/store").head() for sandbox in (here, there)]
        assert states[0].months == states[1].months
    assert len(list((other.root / "warehouse/store/landing").rglob("rows-*"))) == 1, "only its own"
    assert not (here.root / "warehouse/.objects").exists()
    load(here.root)
    assert mirror_of(here.root / "warehouse/store") is None


def test_what_is_here_is_not_fetched_again(objects: ObjectStore, tmp_path: Path):
    url = objects.place()
    one, other = machine(tmp_path / "one", url), machine(tmp_path / "other", url)
    deliver(one.root, 0)
    ran(one)
    first = traffic(one.root)
    ran(other)
    traffic(other.root)
    assert ran(other).is_unchanged
    again = traffic(other.root)
    deliver(one.root, 1)
    ran(one)
    traffic(one.root)
    assert ran(other).absorbed.state.number == 2
    after = traffic(other.root)
    # Nothing new: the newest manifests and the hint are compared, a release's manifest is written.
    assert again.requests["get"] <= 4
    assert again.received < 60_000
    assert again.requests["put"] <= 6
    files = sum(1 for part in ("store", "published") for _ in Bucket(url).list(part))
    assert after.requests["get"] < files / 3
    assert 0 < after.received < first.sent


def test_readers_find_the_newest_release_there(objects: ObjectStore, tmp_path: Path):
    url = objects.place()
    sandbox = machine(tmp_path / "one", url)
    deliver(sandbox.root, 0)
    number = ran(sandbox).release.number
    latest = json.loads(Bucket(url).read("published/latest.json") or b"")
    assert latest["number"] == number == 1
    # Of two machines the one that told last was not the last that published.
    Bucket(url).write("published/latest.json", b'{"number": 3, "tables": {}}')
    deliver(sandbox.root, 1)
    with patch.object(Releases, "catch_up"):
        ran(sandbox)
    assert json.loads(Bucket(url).read("published/latest.json") or b"")["number"] == 3
    assert ran(sandbox).release.number == 3
    latest = json.loads(Bucket(url).read("published/latest.json") or b"")
    environment = objects.environment
    options = {
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "aws_endpoint_url": environment["AWS_ENDPOINT_URL"],
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    found = pl.read_parquet(latest["tables"]["scorecard_touchpoint"], storage_options=options)
    assert found.equals(sandbox.table("scorecard_touchpoint"))


def test_a_warehouse_that_was_here_alone_is_brought_there(objects: ObjectStore, tmp_path: Path):
    url = objects.place()
    sandbox = machine(tmp_path / "one", None)
    deliver(sandbox.root, 0)
    ran(sandbox)
    expected = published(sandbox.root)
    sandbox.write("answerable.yaml", f"{SETTINGS}objects: {url}\n")
    assert ran(sandbox).is_unchanged
    assert assert_whole(url, tmp_path / "look") == (1, 2)
    other = machine(tmp_path / "other", url)
    assert ran(other).release.number == 3
    assert published(other.root) == expected
    # A folder of something else is not mixed with it.
    third = machine(tmp_path / "third", None)
    deliver(third.root, 5)
    ran(third)
    third.write("answerable.yaml", f"{SETTINGS}objects: {url}\n")
    with pytest.raises(
        StoreError, match=r"00000001.json: is not the one of this folder: they are two warehouses"
    ):
        ran(third)
    sandbox.write("answerable.yaml", f"{SETTINGS}objects: {objects.place()}\n")
    with pytest.raises(StoreError, match=rf"is a cache of {url}, and 'objects' is"):
        ran(sandbox)
    assert assert_whole(url, tmp_path / "again") == (1, 3)


def test_only_what_nobody_names_any_more_is_swept_and_only_once_it_is_old(
    objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url = objects.place()
    monkeypatch.chdir(tmp_path)
    sandbox = machine(Path("one"), url)
    for number in range(3):
        deliver(sandbox.root, number)
        ran(sandbox)
    there, behind = Bucket(url), mirror(sandbox.root)
    store, releases = (
        EventStore(sandbox.root / "warehouse/store"),
        Releases(sandbox.root / "warehouse/published"),
    )
    there.write("store/events/2026-01-0123456789abcdef.parquet", b"of a run that was killed")
    before = {one.name for part in ("store", "published") for one in there.list(part)}
    now = time.time()  # noqa: TID251 - the store's clock
    hour_ago, later = now - 3600, now + 60
    assert store.sweep(hour_ago) == releases.sweep(2, hour_ago) == store.kept.sweep_there(hour_ago) == 0
    assert {one.name for part in ("store", "published") for one in there.list(part)} == before
    shutil.rmtree(store.folder / "commits")  # and of a machine that has seen nothing of it so far
    swept = EventStore(sandbox.root / "warehouse/store").sweep(later, commits=2) + releases.sweep(2, later)
    assert swept > 0
    after = {one.name for part in ("store", "published") for one in there.list(part)}
    assert "store/events/2026-01-0123456789abcdef.parquet" not in after
    assert "store/commits/00000001.json" not in after
    assert {f"store/commits/0000000{number}.json" for number in (2, 3)} <= after
    assert len(after) < len(before)
    # What somebody else took is brought back, as far as it is here.
    month = next(path for path in sorted(store.folder.glob("events/*")) if behind.name(path) in after)
    table = next(path for path in sorted(releases.root.glob("data/*/*")) if behind.name(path) in after)
    there.delete([behind.name(month), behind.name(table)])
    store.sweep(later, commits=2)
    releases.sweep(2, later)
    assert {one.name for part in ("store", "published") for one in there.list(part)} == after
    assert behind.folder == (sandbox.root / "warehouse").absolute()
    assert assert_whole(url, tmp_path / "look") == (3, 3)
    assert store.kept.sweep_there(later) == 0, "all of it is in use here"
    shutil.rmtree(store.folder / "kept")
    assert store.kept.sweep_there(later) > 0
    deliver(sandbox.root, 3)
    assert ran(sandbox).release.number == 4


@pytest.mark.parametrize(
    "url",
    [
        "s3://b",
        "s3:/bucket",
        "gs://bucket/a",
        "s3://bucket//a",
        "s3://bucket/a?b",
        "s3://key:secret@bucket/a",
    ],
)
def test_what_is_no_place_is_refused(tmp_path: Path, url: str):
    with pytest.raises(WorkspaceError, match="objects"):
        load(machine(tmp_path / "one", url).root)


def test_doctor_tries_whether_something_can_be_created_twice(
    objects: ObjectStore, tmp_path: Path, call: Call
):
    url = objects.place()
    sandbox = machine(tmp_path / "one", url)
    assert f"objects: {url} creates nothing twice" in " ".join(call("doctor", sandbox.root).out.split())

    def careless(self: Bucket, name: str, content: bytes) -> bool:
        self.write(name, content)
        return True

    with patch.object(Bucket, "_created", careless):
        said = call("doctor", sandbox.root)
    assert said.code == 1
    assert "it ignores If-None-Match" in " ".join(said.out.split())
    assert not list(Bucket(url).list("probes")), "nothing is left of the trial"
