"""Processes kept running as one: begun again, ended together, none left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.supervision import Child, Supervisor, descendants
from tests.conftest import ROOT

SLEEPS = "import time; time.sleep(600)"
QUICK = "raise SystemExit(3)"
LEAVES_ONE = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEPS!r}], start_new_session=True)
print("begun", flush=True)
time.sleep(600)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def said() -> list[str]:
    return []


def child(tmp_path: Path, code: str, name: str = "one", **more) -> Child:
    return Child(name, [sys.executable, "-c", code], os.environ, tmp_path / f"{name}.log", **more)


def wait(what: Callable[[], object], supervisor: Supervisor | None = None, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        if supervisor:
            supervisor.look()
        time.sleep(0.05)


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has taken leave of does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_killed_begins_again(tmp_path: Path, said: list[str]):
    with Supervisor(said.append).running() as supervisor:
        one = supervisor.add(child(tmp_path, SLEEPS))
        first = one.process.pid
        os.kill(first, signal.SIGKILL)
        wait(lambda: one.is_running and one.process.pid != first, supervisor)
        assert (one.begun, said) == (2, ["one ended with -9 and begins again in 1 s"])


def test_what_ends_at_once_is_begun_more_and_more_seldom(tmp_path: Path):
    one, now = child(tmp_path, QUICK), 1000.0
    one.begin(now)
    waits = []
    for _ in range(9):
        one.process.wait()
        waits.append(float(one.look(now).rpartition(" in ")[2].split()[0]))
        begun = one.begun
        one.look(now + waits[-1] - 0.5)
        assert one.begun == begun, "not before"
        now += waits[-1]
        one.look(now)
    one.process.wait()
    assert waits == [1, 2, 4, 8, 15, 30, 60, 60, 60]
    assert one.look(now + 61).endswith("begins again in 1 s"), "it had settled"


def test_what_does_not_answer_for_long_is_ended_and_begun_again(tmp_path: Path, said: list[str]):
    with Supervisor(said.append).running() as supervisor:
        one = supervisor.add(child(tmp_path, SLEEPS, is_well=lambda: False, ill_seconds=0.3))
        wait(lambda: one.begun == 2, supervisor)
    assert said[0] == "one does not answer and is ended"


def test_everything_ends_with_it_what_children_left_behind_included(tmp_path: Path, said: list[str]):
    others = descendants()
    with Supervisor(said.append).running() as supervisor:
        one = supervisor.add(child(tmp_path, LEAVES_ONE))
        wait(one.log.read_text, supervisor)
        before = descendants(frozenset(others))
        assert len(before) >= 2
        os.kill(one.process.pid, signal.SIGKILL)
        one.process.wait()
        (left,) = [pid for pid in before if pid != one.process.pid and is_there(pid)]
    assert not is_there(left)
    assert descendants() == others


def test_what_somebody_else_has_begun_is_left_alone(tmp_path: Path, said: list[str]):
    with subprocess.Popen([sys.executable, "-c", SLEEPS]) as other:
        with Supervisor(said.append).running() as supervisor:
            supervisor.add(child(tmp_path, SLEEPS))
        assert is_there(other.pid)
        other.kill()


def test_one_that_is_deaf_is_killed(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flows.supervision.STOP_SECONDS", 0.3)
    with Supervisor(said.append).running() as supervisor:
        one = supervisor.add(child(tmp_path, DEAF))
        wait(one.log.read_text, supervisor)
    assert said == ["one does not end and is killed"]
    assert one.process.returncode == -signal.SIGKILL


def test_a_signal_stops_the_waiting_and_children_take_signals_though_we_ignore_them(tmp_path: Path, said):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does to what it begins with &
    try:
        with Supervisor(said.append).running() as supervisor:
            one = supervisor.add(child(tmp_path, SLEEPS))
            os.kill(os.getpid(), signal.SIGTERM)
            assert supervisor.wait_for(lambda: False, 30) is False
            assert supervisor.is_stopping
            one.process.send_signal(signal.SIGINT)
            assert one.process.wait(30) == -signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_SUPERVISES = """
import sys
from pathlib import Path
from flows.supervision import Child, Supervisor
import os, time
with Supervisor(print).running() as supervisor:
    one = supervisor.add(Child("one", [sys.executable, "-c", sys.argv[1]], os.environ, Path(sys.argv[2])))
    print(one.process.pid, flush=True)
    time.sleep(600)
"""


def test_children_end_when_the_supervisor_itself_is_killed(tmp_path: Path):
    command = [sys.executable, "-c", _SUPERVISES, SLEEPS, str(tmp_path / "log")]
    above = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert above.stdout is not None
    pid = int(above.stdout.readline())
    above.kill()
    above.wait()
    above.stdout.close()
    wait(lambda: not is_there(pid))
