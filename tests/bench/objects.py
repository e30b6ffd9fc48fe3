"""What an object store costs: the same batches with the warehouse in a folder and in a place of a real server.

python -m tests.bench.objects FOLDER OUT    FOLDER as `tests.bench.million build` makes it; it is copied, not changed
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from flows.restated import HISTORIES
from tests.bench import ours
from tests.conftest import ROOT
from tests.object_stores import seaweed
from warehouse.mirror import mirror_of
from warehouse.releases import Releases

BATCHES = 3
_OLD = {table.table_name() for table in HISTORIES}


def one(kind: str, folder: Path, out: Path) -> dict[str, object]:
    """One job of `ours` in this process, with what went to and fro."""
    began = time.perf_counter()
    said = getattr(ours, kind)(folder, out)
    costs = {"wall_s": round(time.perf_counter() - began, 2), "cpu_s": round(time.process_time(), 2)}
    mirror = mirror_of(folder / "warehouse/store")
    if mirror is not None:
        traffic = mirror.bucket.traffic
        costs |= {"requests": traffic.requests, "sent": traffic.sent, "received": traffic.received}
    return {**costs, "events_read": said["events_read"], "cpu_s_by_stage": said["cpu_s_by_stage"]}


def asked(kind: str, folder: Path, out: Path) -> None:
    """One job in a process of its own; prints what it cost."""
    command = [sys.executable, "-m", "tests.bench.objects", "one", kind, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    sys.stdout.write(f"{folder.name:<8} {kind:<10} {json.dumps(told)}\n")
    sys.stdout.flush()


def tables(folder: Path) -> dict[str, str]:
    """Hashes of the newest release's tables."""
    release = Releases(folder / "warehouse/published").head()
    assert release is not None
    return {file.table: file.sha256 for file in release.tables if file.table not in _OLD}


def compared(built: Path, out: Path) -> None:
    """Batch after batch here and there; then a machine that has nothing, and one that computes everything anew."""
    here, there, other = (out / name for name in ("here", "there", "other"))
    for folder in (here, there):
        shutil.copytree(built, folder, symlinks=True, ignore=shutil.ignore_patterns("canonical"))
    with seaweed(out / "store") as store:
        os.environ.update(store.environment)
        with (there / "answerable.yaml").open("a") as settings:
            settings.write(f"objects: {store.place()}\n")
        for folder in (here, there):
            asked("published", folder, out)
        for _ in range(BATCHES):
            for folder in (here, there):
                asked("batch", folder, out)
        shutil.copytree(there, other, ignore=shutil.ignore_patterns("store", "published"))
        for folder in (here, other):
            asked("batch", folder, out)
        for folder in (here, other):
            asked("published", folder, out)
        shutil.rmtree(other / "warehouse/store")
        asked("published", other, out)
        assert tables(here) == tables(other)
        sys.stdout.write("all tables equal\n")


def main() -> None:
    """Compare, or do one job."""
    first, *words = sys.argv[1:]
    if first == "one":
        kind, folder, out = words
        sys.stdout.write(json.dumps(one(kind, Path(folder), Path(out))) + "\n")
    else:
        compared(Path(first), Path(words[0]))


if __name__ == "__main__":
    main()
