"""Two runs on one workspace: one wins, the other says so, and nothing is lost or doubled."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from flows.restated import HISTORIES
from tests.conftest import ROOT, Sandbox, build_sandbox
from warehouse.store import EventStore

ROUNDS = 10

_WORKER = """
import contextlib, io, json, sys
import flows.report, flows.run, flows.cli
folder = sys.argv[1]
for _ in sys.stdin:
    sys.argv = ["answerable", "run", folder, "--quiet"]
    said, code = io.StringIO(), 0
    with contextlib.redirect_stderr(said):
        try:
            flows.cli.main()
        except SystemExit as ended:
            code = ended.code or 0
    print(json.dumps([code, said.getvalue()]), flush=True)
"""


def _answers(number: int) -> list[str]:
    """Thirty answers of some round, a third of them corrected in the next one."""
    told = [f"{number}-{which}" for which in range(20)] + [f"{number + 1}-{which}" for which in range(10)]
    return [
        f"{name},p{index % 7}@x.example,2026-02-{index % 28 + 1:02} 10:00:00,web,order,{(index + number) % 5 + 1}"
        for index, name in enumerate(told)
    ]


def _worker(sandbox: Sandbox) -> subprocess.Popen[str]:
    """A process that has loaded everything, and runs the workspace at every line it is sent."""
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(sandbox.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def _slowed(sandbox: Sandbox, seconds: float) -> None:
    """A file that has just come is given time to settle: long enough for both runs to be there."""
    sandbox.replace("feeds/survey.yaml", "settle_seconds: 0", f"settle_seconds: {seconds}")


def _lost(sandbox: Sandbox, who: int) -> str:
    folder = sandbox.root / "warehouse"
    return f"{folder}: process {who} is running here. Wait until it has ended, then run again.\n"


def _assert_as_if_run_once(sandbox: Sandbox, other: Sandbox) -> None:
    """The workspace holds every event once, and its tables are byte for byte those of one single run.

    But for what became known when: a run that came before the last one had said otherwise.
    """
    for path in sorted((sandbox.root / "inbox").iterdir()):
        other.write(f"inbox/{path.name}", path.read_bytes())
    once = other.run()
    state = EventStore(sandbox.root / "warehouse/store").head()
    ids = state.scan(["event_id"]).collect()["event_id"]
    assert ids.n_unique() == len(ids) == once.absorbed.state.rows
    histories = {table.table_name() for table in HISTORIES}
    for table in once.release.tables:
        shown = sandbox.root / "warehouse/published/current" / table.table
        if table.table == "scorecard_touchpoint":
            told, other_told = (one.table(table.table).drop("is_restated") for one in (sandbox, other))
            assert told.equals(other_told)
        elif table.table not in histories:
            assert [path.name for path in shown.iterdir()] == [Path(table.path).name]


@pytest.mark.slow
def test_of_two_runs_at_the_same_instant_one_wins_and_the_other_says_who_did(
    sandbox: Sandbox, tmp_path: Path
):
    _slowed(sandbox, 0.5)
    with ExitStack() as ending:
        workers = [ending.enter_context(_worker(sandbox)) for _ in range(2)]
        for number in range(ROUNDS):
            sandbox.answers(*_answers(number), name=f"answers{number}.csv")
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write("run\n")
                worker.stdin.flush()
            ended = [json.loads(worker.stdout.readline()) for worker in workers if worker.stdout]
            winner = ended.index([0, ""])
            assert ended[1 - winner] == [7, _lost(sandbox, workers[winner].pid)]
    releases = sandbox.root / "warehouse/published/releases"
    assert len(list(releases.glob("*.json"))) == ROUNDS
    _assert_as_if_run_once(sandbox, build_sandbox(tmp_path / "once"))


def test_of_two_first_runs_one_makes_the_warehouse_and_the_other_ends_with_exit_code_7(
    sandbox: Sandbox, tmp_path: Path
):
    _slowed(sandbox, 1)
    sandbox.answers(*_answers(1))
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "flows", "run", str(sandbox.root), "--quiet"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for _ in range(2)
    ]  # fmt: skip
    ended = [(run.communicate(timeout=60), run.returncode) for run in runs]
    winner = ended.index((("", ""), 0))
    assert ended[1 - winner] == (("", _lost(sandbox, runs[winner].pid)), 7)
    _assert_as_if_run_once(sandbox, build_sandbox(tmp_path / "once"))
