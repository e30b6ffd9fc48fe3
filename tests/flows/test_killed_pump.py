"""Kill -9 while letters are sent: none is lost, and one comes twice at most once a kill, which is counted."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.conftest import ROOT, Sandbox
from tests.flows.sinks import http_sink

KILLS = int(os.environ.get("ANSWERABLE_TEST_KILLS", "25"))
SETTINGS = """
alerts:
  channels:
    - {id: chat, kind: slack, url_from: SINK}
    - {id: hook, kind: webhook, url_from: SINK, secret_from: KEY}
  roles: {default: [chat, hook]}
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_instants_nothing_is_lost_and_doubles_are_counted(sandbox: Sandbox, seed: int):
    sandbox.write("answerable.yaml", (sandbox.root / "answerable.yaml").read_text() + SETTINGS)
    letters = 6 * KILLS
    with http_sink("slow") as sink:
        command = [sys.executable, "-m", "tests.flows.killed_pump", str(sandbox.root), sink.url]
        done = subprocess.run(
            [*command, str(letters), str(KILLS), str(seed)],
            capture_output=True, text=True, cwd=ROOT, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        said = json.loads(done.stdout)
        hooked = Counter(head["webhook-id"] for head in sink.headers if "webhook-id" in head)
        chatted = Counter(
            body for body, head in zip(sink.taken, sink.headers, strict=True) if "webhook-id" not in head
        )
    assert said["killed"] >= KILLS // 2
    dead = said["counts"].pop("dead", 0)
    assert said["counts"] == {"sent": letters - dead}
    assert dead <= 1 + KILLS // 20, "twice in doubt is rare, and seen"
    chats = [id_ for id_, channel in said["letters"].items() if channel == "chat"]
    assert len(chats) - dead <= len(chatted) <= len(chats), "every letter arrived"
    assert set(hooked) == set(said["letters"]) - set(chats), "every letter arrived, under its own id"
    assert max(chatted.values()) <= 2, "none came more than twice"
    doubles = sum(chatted.values()) - len(chatted)
    assert doubles <= said["unsure"].get("chat", 0), "what may have come twice was counted"
    assert sum(said["unsure"].values()) <= said["killed"], "a kill leaves at most one letter in doubt"
