"""What runs really take of memory, against what is reckoned before they begin, under a limit that the system holds.

    python -m tests.bench.allowed FOLDER 600MB 1GB ...    a workspace as `tests.bench.million` builds it

Every run is a process of its own, with nothing kept, in a memory cgroup of the size it is told (version 1 or 2, where
this user may make one): beyond it the system kills. A line a limit: reckoned, peak, and what became of it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flows.allowance import Allowance, need_of, size
from flows.workspace import load
from warehouse.store import EventStore

_RUN = """
import json, sys
from pathlib import Path
group = sys.argv[2]
if group:
    import os
    Path(group, "cgroup.procs").write_text(str(os.getpid()))
from flows.interpreter import prepare
prepare()  # as the command line does
from flows.run import Run, released
from flows.workspace import load
from tests.bench.memory import peak_mb
run = Run(load(Path(sys.argv[1])))
with run.underway():
    _, release, _ = released(run, run.store.head())
cpu = sum(cost.cpu_seconds for cost in run.costs.values())
print(json.dumps({"peak_mb": peak_mb(), "cpu_s": round(cpu, 1), "release": release.number}))
"""
_FOLDERS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))


@contextmanager
def group(limit: int) -> Iterator[str]:
    """A memory cgroup's folder; an empty text where none can be made."""
    for above, file in _FOLDERS:
        made = Path(above) / f"answerable-{os.getpid()}"
        try:
            made.mkdir()
            (made / file).write_text(str(limit))
        except OSError:
            with suppress(OSError):
                made.rmdir()
            continue
        try:
            yield str(made)
        finally:
            made.rmdir()
        return
    yield ""


def allowed(folder: Path, limit: str) -> dict[str, object]:
    """One run under one limit."""
    workspace, store = load(folder), EventStore(load(folder).warehouse / "store")
    store.kept.forget()
    allowance, state = Allowance(size(limit, "limit")), store.head()
    need = need_of(workspace, state)
    said = {"limit": limit, "events": need.events, "cases": need.cases, "least_mb": need.least // 10**6}
    with suppress(Exception):
        said["at_once"] = allowance.at_once(workspace, state)
    with group(allowance.limit or 0) as place:
        command = [sys.executable, "-c", _RUN, str(folder), place]
        environment = os.environ | {"ANSWERABLE_MEMORY": limit}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said["cgroup"] = bool(place)
    if done.returncode == 0:
        return said | json.loads(done.stdout)
    return said | {"ended": done.returncode, "said": done.stderr.strip().splitlines()[-1:]}


def main() -> None:
    """Every limit in turn."""
    for limit in sys.argv[2:]:
        sys.stdout.write(json.dumps(allowed(Path(sys.argv[1]), limit)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
