"""kill -9 of the serve lane under load: what was promised is kept, in one file, as one event."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT, Sandbox
from tests.flows.hooks import build_hooked
from warehouse.inbox import Inbox
from warehouse.ledger import URL_VARIABLE, Ledger
from warehouse.store import EventStore

KILLS = int(os.environ.get("ANSWERABLE_SERVE_KILLS", "2"))


def kept_once(
    sandbox: Sandbox, promised: Mapping[str, object], killed: int, environment: Mapping[str, str]
) -> str:
    """Everything promised is in one file and one event, once, and little else; in words.

    Args:
        sandbox: The workspace.
        promised: Deliveries that were answered with 202 or 200.
        killed: How often something was killed: answers that were cut off then belong to kept deliveries.
        environment: With the ledger's address, if it has one.
    """
    url = environment.get(URL_VARIABLE)
    with pytest.MonkeyPatch.context() as patch:
        if url:
            patch.setenv(URL_VARIABLE, url)
        outcome = sandbox.run()
        counts = Inbox(Ledger(sandbox.root / "warehouse")).counts()
    assert counts.keys() == {"landed"}
    files = sorted((sandbox.root / "inbox/chat").glob("*.jsonl"))
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    deliveries = Counter(one["answerable"]["delivery_id"] for one in lines)
    assert set(deliveries.values()) == {1}, "every delivery is in one file, once"
    assert len(deliveries) == counts["landed"]
    answers = {one["answer_id"] for one in lines}
    assert set(promised) <= answers, "what was promised is there"
    assert len(answers - set(promised)) <= killed * 3, (
        "kept, but the answer was cut off: one a sender and kill"
    )
    events = EventStore(sandbox.root / "warehouse/store").head().scan(["event_id"]).collect()["event_id"]
    assert (events.len(), events.n_unique()) == (len(answers), len(answers))
    assert outcome.absorbed.state.rows == len(answers)
    return f"{counts['landed']} kept, {len(lines)} lines in {len(files)} files"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_random_instants_nothing_promised_is_lost_and_nothing_lands_twice(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
):
    sandbox = build_hooked(tmp_path / "workspace")
    environment = dict(os.environ)
    if kind == "postgresql":
        environment[URL_VARIABLE] = request.getfixturevalue("empty_database")
    command = [sys.executable, "-m", "tests.flows.killed_serve", str(sandbox.root), str(KILLS), "7"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60 + 60 * KILLS, env=environment
    )  # fmt: skip
    log = (tmp_path / "serve.log").read_text()
    assert done.returncode == 0, done.stderr[-3000:] + log[-3000:]
    said = json.loads(done.stdout)
    assert said["ended"] == 0, log[-3000:]
    promised = said["promised"]
    assert len(promised) >= KILLS
    assert all(answers.count(202) + answers.count(-1) <= 1 for answers in promised.values()), "new only once"

    told = kept_once(sandbox, promised, said["killed"], environment)
    left = [path.name for path in (sandbox.root / "inbox/chat").iterdir() if path.suffix != ".jsonl"]
    assert all(name.startswith(".") and name.endswith(".part") for name in left), "hidden, and never read"
    assert len(left) <= said["killed"] + 1, "half a file a kill at most"
    with capsys.disabled():
        print(  # noqa: T201 - figures for whoever asked for more kills
            f"\n{kind}: {said['killed']} kills, {len(promised)} promised, {told}, answers {said['statuses']}, "
            f"{said['cpu_seconds']:.0f} CPU s"
        )
