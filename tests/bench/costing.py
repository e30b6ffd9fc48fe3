"""What a job costs: a process of its own, and those that it starts.

CPU seconds of all threads are what the system says once a process has ended. Of memory it is the peak of all of them
together, looked at ten times a second: of a process alone the system's own figure, of several the largest sum. What the
system says once it has ended begins with what the process that started it held.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.memory import peak_bytes

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = float(os.environ.get("ANSWERABLE_BENCH_LIMIT_S", "600"))
"""A job that has not ended after so many seconds is ended."""
_LOOK_S = 0.1


@dataclass
class Cost:
    """What one job cost, and what it said.

    Attributes:
        cpu_s: CPU seconds.
        wall_s: Seconds by the clock.
        peak_mb: Memory at most resident at once, of all its processes together.
        said: What it said.
        has_ended: Whether it did before `LIMIT_S`, and well: it may have been out of memory.
    """

    cpu_s: float
    wall_s: float
    peak_mb: int
    said: Any
    has_ended: bool = True


def process(module: str, *words: str | Path, limit_s: float = LIMIT_S) -> Cost:
    """Run a job in a process of its own."""
    began, together = time.perf_counter(), 0
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, words)]
    with tempfile.TemporaryFile("w+") as out:
        started = subprocess.Popen(command, cwd=ROOT, stdout=out, text=True, start_new_session=True)
        has_ended = True
        while True:
            pid, status, used = os.wait4(started.pid, os.WNOHANG)
            wall = time.perf_counter() - began
            if pid:
                break
            if has_ended and wall > limit_s:
                os.killpg(started.pid, signal.SIGKILL)  # the session that it was started as
                has_ended = False
            together = max(together, _together(started.pid), peak_bytes(started.pid))
            time.sleep(_LOOK_S)
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode and has_ended:
            told = f"{' '.join(command)} ended with {started.returncode}"
            if limit_s == float("inf"):
                sys.exit(told)  # what all others need
            sys.stderr.write(f"{told}\n")
            has_ended = False
        out.seek(0)
        said = out.read()
    told = json.loads(said or "{}") if has_ended else {}
    # Whoever has its peak begin again with every stage says what it was in each.
    stages = told.get("peak_mb_by_stage", {}) if isinstance(told, dict) else {}
    peak = max([together >> 20, *stages.values()])
    return Cost(used.ru_utime + used.ru_stime, wall, peak, told, has_ended)


def _together(pid: int) -> int:
    """Bytes that a process and those that it started hold now; 0 for what is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        started = {
            int(child)
            for thread in Path(f"/proc/{pid}/task").iterdir()
            for child in (thread / "children").read_text().split()
        }
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGESIZE") + sum(map(_together, started))
