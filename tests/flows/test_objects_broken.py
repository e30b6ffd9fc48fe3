"""The warehouse in an object store, with everything that goes wrong: nothing is mixed, nothing that was committed is lost."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from contracts.errors import StoreError
from contracts.tables import ScorecardTouchpoint
from tests.conftest import ROOT, Call, Sandbox
from tests.flows.machines import assert_whole, deliver, machine, mirror, published, ran
from tests.object_stores import SECRET, ObjectStore
from tests.warehouse.dying import DiedError
from tests.warehouse.test_releases import publish
from tests.warehouse.test_store import Writer, event, frame
from warehouse.bucket import Bucket
from warehouse.mirror import Mirror
from warehouse.places import place
from warehouse.releases import Releases
from warehouse.store import EventStore

KILLS = int(os.environ.get("ANSWERABLE_OBJECT_KILLS", "2"))
EVERY = 10
"""From so many kills on, deaths at every request are tried, and not at some."""
SEED = 20_261_128
WRONG = "not the secret at all"


def test_a_file_of_the_cache_that_is_damaged_or_gone_is_fetched_again(objects: ObjectStore, tmp_path: Path):
    sandbox = machine(tmp_path / "one", objects.place())
    deliver(sandbox.root, 0)
    ran(sandbox)
    expected, store = published(sandbox.root), sandbox.root / "warehouse/store"
    months = sorted((store / "events").glob("*.parquet"))
    months[0].write_bytes(months[0].read_bytes()[:-1000])
    months[1].unlink()
    (codes := next((store / "codes").glob("channel-*"))).write_bytes(b"no codes at all")
    next((store / "identity").glob("tokens-*")).unlink()
    (store / "commits/00000001.json").write_text('{"number": 1, "par')
    shutil.rmtree(store / "kept")
    assert ran(sandbox).is_unchanged
    assert published(sandbox.root) == expected
    assert codes.read_bytes() != b"no codes at all"
    deliver(sandbox.root, 1)
    months[0].write_bytes(b"short")
    ran(sandbox)
    assert_whole(mirror(sandbox.root).bucket.url, tmp_path / "look")


def test_an_object_that_is_damaged_is_found_out(objects: ObjectStore, tmp_path: Path):
    url = objects.place()
    sandbox = machine(tmp_path / "one", url)
    deliver(sandbox.root, 0)
    ran(sandbox)
    month = min((sandbox.root / "warehouse/store/events").glob("*.parquet"))
    Bucket(url).write(mirror(sandbox.root).name(month), b"something else")
    month.unlink()
    with pytest.raises(StoreError, match=rf"{url}/store/events/{month.name}: is damaged"):
        EventStore(sandbox.root / "warehouse/store").head().scan(["event_id"])
    assert not month.exists()


def test_of_two_publishers_one_commits_and_the_other_is_told(objects: ObjectStore, tmp_path: Path):
    url, both = objects.place(), threading.Barrier(2)
    machines = [machine(tmp_path / name, url) for name in ("one", "other")]
    deliver(machines[0].root, 0)
    ran(machines[0])
    for number, one in enumerate(machines, start=1):
        deliver(one.root, number)
    met: set[str] = set()
    create = Mirror.create

    def at_once(self: Mirror, path: Path, content: bytes) -> bool:
        if path.name == "00000002.json" and path.parent.name == "commits":
            met.add(str(self.folder))
            both.wait(60)
        return create(self, path, content)

    ends: dict[int, object] = {}

    def publish(number: int) -> None:
        try:
            ends[number] = ran(machines[number])
        except StoreError as error:
            ends[number] = error

    with patch.object(Mirror, "create", at_once):
        running = [threading.Thread(target=publish, args=(number,)) for number in range(2)]
        for one in running:
            one.start()
        for one in running:
            one.join()
    assert len(met) == 2
    lost = [number for number, end in ends.items() if isinstance(end, StoreError)]
    assert len(lost) == 1, ends
    assert "00000002.json: was written by another run meanwhile. Run again: nothing is lost." in str(
        ends[lost[0]]
    )
    assert assert_whole(url, tmp_path / "look") == (2, 2)
    done = ran(machines[lost[0]])
    assert done.absorbed.new > 0
    assert assert_whole(url, tmp_path / "again") == (3, 3)


def test_a_store_that_goes_away_midway_is_an_error_and_the_next_run_ends_it(
    objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("warehouse.bucket.RETRIES", 1)
    here, there = machine(tmp_path / "here", None), machine(tmp_path / "there", objects.place())
    for number in range(2):
        deliver(here.root, number)
    ran(here)
    deliver(there.root, 0)
    ran(there)
    deliver(there.root, 1)
    push = Mirror.push

    def gone(self: Mirror, paths: set[Path]) -> None:
        if any(path.parent.name == "scorecard_touchpoint" for path in paths):
            objects.stop()
        push(self, paths)

    with (
        patch.object(Mirror, "push", gone),
        pytest.raises(
            StoreError,
            match=r"s3://tests/\w+/published/\S+: cannot be used: the object store does not answer",
        ),
    ):
        ran(there)
    with pytest.raises(StoreError, match="does not answer"):
        ran(there)
    objects.start()
    done = ran(there)
    assert (done.release.number, done.absorbed.new) == (2, 0)
    assert_same_but_history(there, here)
    assert_whole(mirror(there.root).bucket.url, tmp_path / "look")


def test_a_key_that_is_not_taken_is_told_without_it(
    objects: ObjectStore, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
):
    sandbox = machine(tmp_path / "one", objects.place())
    deliver(sandbox.root, 0)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", WRONG)
    for word in ("run", "doctor"):
        said = call(word, sandbox.root)
        told = " ".join((said.out + said.err).split())
        assert said.code == (6 if word == "run" else 1)
        assert "the object store does not take our key (SignatureDoesNotMatch)" in told
        assert "AWS_SECRET_ACCESS_KEY" in told
        for secret in (WRONG, SECRET, f"127.0.0.1:{objects.ports['s3.port']}", "Signature=", "Traceback"):
            assert secret not in told
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    told = call("run", machine(tmp_path / "other", objects.place()).root).err
    assert "InvalidAccessKeyId" in told
    assert "nobody" not in told


def test_a_bucket_that_there_is_not_is_named(objects: ObjectStore, tmp_path: Path, call: Call):
    sandbox = machine(tmp_path / "one", "s3://nowhere/at/all")
    said = call("run", sandbox.root)
    assert said.code == 6
    assert "s3://nowhere/at/all/store/commits: cannot be used: there is no such bucket. Make it" in said.err
    assert objects.process is not None


def test_without_the_package_its_extra_is_named(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch):
    for module in ("obstore", "obstore.exceptions", "obstore.store"):
        monkeypatch.setitem(sys.modules, module, None)
    said = call("run", machine(tmp_path / "one", "s3://bucket/some").root)
    assert said.code == 6
    assert "pip install 'answerable[objects]'" in said.err


@pytest.mark.skipif(
    KILLS < EVERY, reason="set ANSWERABLE_OBJECT_KILLS=10 to have two machines publish all the time"
)
def test_two_machines_that_publish_all_the_time_lose_and_mix_nothing(objects: ObjectStore, tmp_path: Path):
    url, ends = objects.place(), Counter[str]()
    machines = [machine(tmp_path / name, url) for name in ("one", "other")]

    def publish(which: int) -> None:
        for number in range(KILLS):
            deliver(machines[which].root, 2 * number + which)
            try:
                ran(machines[which])
                ends["published"] += 1
            except StoreError as error:
                ends["overtaken" if "was written by another run meanwhile" in str(error) else str(error)] += 1

    running = [threading.Thread(target=publish, args=(which,)) for which in range(2)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    for one in machines:
        ran(one)
    assert_whole(url, tmp_path / "look")
    assert ends["published"] + ends["overtaken"] == 2 * KILLS
    # Nobody's events are lost: whoever is asked tells of all deliveries.
    sources = {f"answers{number}.csv" for number in range(2 * KILLS)}
    state = EventStore(machines[1].root / "warehouse/store").head()
    assert {Path(one.source).name for one in state.deliveries} == sources
    sys.stderr.write(f"two machines: {dict(ends)}\n")


@pytest.mark.slow
def test_a_kill_at_any_instant_leaves_everything_whole_and_loses_nothing(
    objects: ObjectStore, tmp_path: Path
):
    url, chance, met = objects.place(), random.Random(SEED), Counter[str]()
    here, there = machine(tmp_path / "here", None), machine(tmp_path / "there", url)
    for one in (here, there):
        deliver(one.root, 0)
    began = time.perf_counter()
    ran(there)
    seconds, before = time.perf_counter() - began, (1, 1)
    for number in range(1, KILLS + 1):
        for one in (here, there):
            deliver(one.root, number)
        _killed(there, seconds, chance)
        found = assert_whole(url, tmp_path / f"look{number}")
        assert found[0] >= before[0]
        assert found[1] >= before[1]
        met[f"commits +{found[0] - before[0]}, releases +{found[1] - before[1]}"] += 1
        shutil.rmtree(tmp_path / f"look{number}")
        if number % 3 == 0:  # the machine is lost with everything that it had
            shutil.rmtree(there.root / "warehouse", ignore_errors=True)
        if number % 2 == 0:
            ran(there)
            found = assert_whole(url, tmp_path / f"again{number}")
            assert found >= before
            shutil.rmtree(tmp_path / f"again{number}")
        before = found
    shutil.rmtree(there.root / "warehouse", ignore_errors=True)
    ran(there)
    ran(here)
    assert_same_but_history(there, here)
    sys.stderr.write(f"{KILLS} kills: {dict(met)}\n")


@pytest.mark.parametrize("arrives", [False, True], ids=["lost", "arrived"])
def test_a_death_at_any_request_leaves_everything_whole(
    objects: ObjectStore, tmp_path: Path, *, arrives: bool
):
    assert objects.process is not None
    for at in count(1, 1 if KILLS >= EVERY else 4):
        url, folder = objects.place(), tmp_path / f"{at}"
        place(folder, url)
        writer, releases = Writer(EventStore(folder / "store")), Releases(folder / "published")
        writer.absorb(frame(event("a"), event("b")))
        publish(releases, 10.0)
        batch = frame(event("b", kind="survey.sent"), event("c"))
        try:
            with _dying(at, arrives=arrives):
                writer.absorb(batch)
                publish(releases, 20.0)
        except DiedError:
            seen, found = tmp_path / f"{at}-seen", (0, 0)
            found = assert_whole(url, seen)
            assert found in {(1, 1), (2, 1), (2, 2)}
            writer.deliveries = [one for one in writer.deliveries if one.id == "d1"]
            store, again = EventStore(folder / "store"), Releases(folder / "published")
            store.catch_up(lambda *_: None)
            again.catch_up()
            assert Writer(store, writer.deliveries).absorb(batch).state.number == 2
            assert publish(again, 20.0).number == found[1] + 1
            assert assert_whole(url, tmp_path / f"{at}-again") == (2, found[1] + 1)
        else:
            break
    assert at > EVERY


@contextmanager
def _dying(at: int, *, arrives: bool) -> Iterator[None]:
    """From the request of that number on, counted from 1, none is made; that one may still arrive."""
    import obstore

    steps = count(1)

    def lasting(do: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            number = next(steps)
            if number == at and arrives:
                do(*args, **options)
            if number >= at:
                raise DiedError
            return do(*args, **options)

        return step

    with ExitStack() as patched:
        for name in ("put", "get", "list", "head", "delete"):
            patched.enter_context(patch.object(obstore, name, lasting(getattr(obstore, name))))
        yield


def assert_same_but_history(one: Sandbox, other: Sandbox) -> None:
    """The same tables, but for the one column of the scorecard that tells what became known when."""
    card = ScorecardTouchpoint.table_name()
    assert published(one.root) | {card: ""} == published(other.root) | {card: ""}
    cards = [sandbox.table(card).drop("is_restated") for sandbox in (one, other)]
    assert cards[0].equals(cards[1])


def _started(sandbox: Sandbox) -> subprocess.Popen:
    """A run in a process of its own, once it holds the workspace."""
    command = [sys.executable, "-m", "flows", "run", str(sandbox.root), "--quiet"]
    started = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    lock = sandbox.root / "warehouse/.lock"
    while started.poll() is None and not (lock.exists() and lock.read_text() == f"process {started.pid}"):
        time.sleep(0.001)
    return started


def _killed(sandbox: Sandbox, seconds: float, chance: random.Random) -> None:
    started = _started(sandbox)
    time.sleep(chance.uniform(0, seconds))
    started.send_signal(signal.SIGKILL)
    started.wait()
