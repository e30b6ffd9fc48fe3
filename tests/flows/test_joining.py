"""Many small files become one, and nothing that was told changes by it, whenever a run is killed."""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows import joining
from flows.feeds.push import Joined
from flows.joining import join, settle_joined
from flows.kitchen import Setting
from flows.pouring import pour
from flows.run import Run
from tests.conftest import Call, Sandbox
from tests.flows.hooks import answer, build_hooked
from tests.flows.test_pouring import NOW, feed_of, pushed
from tests.warehouse.dying import every_death
from warehouse.inbox import Inbox
from warehouse.inbox_rows import InboxRow
from warehouse.ledger import Ledger
from warehouse.signal_ledger import SignalLedger
from warehouse.store import Absorbed, EventStore, State

NEVER = 1_000_000
"""So many files are never joined."""
SEQUENCES = int(os.environ.get("ANSWERABLE_SEQUENCES", "1"))
BAD = b'{"answer_id":"bad","answered_at":"2026-02-20 10:00:00","channel":"fax","about":"order","satisfaction":3}'
"""An answer that breaks its contract."""
HISTORY = {"fact_alert", "fact_notification", "restatement", "goal_history"}
"""Tables that tell when something became known."""
BY_DELIVERY = {"data_trust", "dq_rule_results", "quarantine"}
"""Tables that count or name files."""


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A handful of files is enough to be joined."""
    monkeypatch.setattr(joining, "JOIN_MIN", 4)
    monkeypatch.setattr(joining, "JOIN_MIN_BETWEEN", 2)
    monkeypatch.setattr(joining, "_refused", {})
    return


class Sender:
    """Pushes to a workspace, each body into a file of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.inbox = Inbox(Ledger(sandbox.root / "warehouse"))
        self.lines: list[int] = []

    def push(self, *bodies: bytes) -> None:
        """Push bodies, one after the other."""
        feed = feed_of(self.sandbox)
        for body in bodies:
            told = json.loads(body)
            self.lines.append(len(told) if isinstance(told, list) else 1)
            number = len(self.lines)
            self.inbox.put([pushed(f"d{number}", body)])
            pour(self.inbox, feed, self.sandbox.root, NOW + timedelta(seconds=number))

    def must_be_in_one_file_each(self) -> None:
        """Every delivery stands in one file, once, and the inbox knows in which."""
        must_be_in_one_file_each(self.sandbox, self.lines)
        with self.inbox.ledger.reading() as session:
            named = set(session.scalars(sa.select(InboxRow.landed_in)))
        assert named == {f"inbox/chat/{name}" for name in files(self.sandbox)}


def must_be_in_one_file_each(sandbox: Sandbox, lines: Sequence[int]) -> None:
    """Every line of every delivery stands once, in the order of coming."""
    paths = [sandbox.root / "inbox/chat" / name for name in files(sandbox)]
    told = [
        json.loads(line)["answerable"]["delivery_id"]
        for path in paths
        for line in path.read_text().splitlines()
    ]
    assert told == [f"d{number}" for number, count in enumerate(lines, start=1) for _ in range(count)]


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(build_hooked(tmp_path / "workspace"))


def files(sandbox: Sandbox) -> list[str]:
    return sorted(path.name for path in (sandbox.root / "inbox/chat").glob("*.jsonl"))


def head(sandbox: Sandbox) -> State:
    return EventStore(sandbox.root / "warehouse/store").head()


def facts(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Every event as it was told, without where it stands and by what codes."""
    state = head(sandbox)
    names = {name: values for name, values in state.codebook.values.items() if name != "landing"}
    columns = ["event_id", "occurred_at", "recorded_at", "sequence", "customer", "score", *names]
    told = state.scan(columns).collect().sort("event_id")
    return [
        {c: names[c][v - 1] if c in names and v else v for c, v in row.items()}
        for row in told.iter_rows(named=True)
    ]


def published(sandbox: Sandbox) -> dict[str, bytes]:
    """Every published table that follows from events alone."""
    current = (sandbox.root / "warehouse/published/current").resolve()
    found = {}
    for path in current.rglob("*.parquet"):
        table = path.relative_to(current).parts[0]
        if table not in HISTORY | BY_DELIVERY:
            found[table] = pl.read_parquet(path).drop("is_restated", strict=False).write_csv().encode()
    return found


def take(sandbox: Sandbox) -> Absorbed:
    """The part of a run that is about deliveries: read, commit, delete what was joined."""
    run = Run(sandbox.load())
    with run.underway():
        absorbed = run.absorb([run.land(feed) for feed in run.workspace.feeds])
        run.settle(absorbed.state)
    return absorbed


def counted(sandbox: Sandbox) -> dict[str, int]:
    """What became of rows, by the deliveries that are known."""
    names = [f"rows_{name}" for name in ("read", "accepted", "quarantined", "duplicate", "dropped")]
    return {name: sum(getattr(one, name) for one in head(sandbox).deliveries) for name in names}


def fates(sandbox: Sandbox) -> dict[str, int]:
    """What became of the rows that were pushed."""
    trust = sandbox.table("data_trust").filter(pl.col("feed") == "chat")
    return trust.select(pl.col("^rows_.*$")).row(0, named=True)


def test_known_files_become_one_in_their_place_and_nothing_else_changes(sender: Sender):
    sandbox = sender.sandbox
    sender.push(*(answer(f"a{number}", 1 + number % 5) for number in range(6)))
    assert sandbox.run().absorbed.new == 6
    before = facts(sandbox), fates(sandbox), published(sandbox)
    signals = SignalLedger(sender.inbox.ledger)

    def told() -> Counter[str]:
        return Counter(
            one["event"] for one in signals.told() if one["event"] != "answerable.scorecard.published"
        )

    landed = told()
    outcome = sandbox.run()
    (name,) = files(sandbox)
    absorbed = outcome.absorbed
    assert (outcome.read, absorbed.new, absorbed.corrected, absorbed.withdrawn) == ((), 0, 0, 0)
    assert (facts(sandbox), fates(sandbox), published(sandbox)) == before
    assert told() == landed, "no feed has landed, no contract was broken"
    (delivery,) = head(sandbox).deliveries
    assert (delivery.source, delivery.rows_read, delivery.event_count) == (f"inbox/chat/{name}", 6, 6)
    sender.must_be_in_one_file_each()

    assert sandbox.run().is_unchanged
    sender.push(answer("later"))
    assert sandbox.run().absorbed.new == 1
    assert files(sandbox)[0] == name, "what comes later comes after it"


def test_joined_files_are_joined_again_and_the_warehouse_can_be_made_anew_from_them(sender: Sender):
    sandbox = sender.sandbox
    for first in range(0, 20, 4):
        sender.push(*(answer(f"a{number}", 1 + number % 5) for number in range(first, first + 4)))
        take(sandbox)
    sandbox.run()
    (_,) = files(sandbox)
    before = published(sandbox)
    for part in ("store", "published"):
        shutil.rmtree(sandbox.root / "warehouse" / part)
    assert sandbox.run().absorbed.new == 20
    assert published(sandbox) == before


@pytest.mark.parametrize(
    "second",
    [pytest.param(answer("a1", 1), id="a correction"), pytest.param(answer("a1", 5), id="a repetition")],
)
def test_what_two_deliveries_tell_of_is_told_alike_in_one_file(second: bytes, sender: Sender):
    sandbox = sender.sandbox
    sender.push(answer("a0"), answer("a1", 5), second, answer("a2"))
    take(sandbox)
    before = facts(sandbox), counted(sandbox)
    take(sandbox)
    assert (facts(sandbox), counted(sandbox)) == before
    assert len(files(sandbox)) == 1
    sender.must_be_in_one_file_each()


def test_files_that_would_tell_otherwise_as_one_stay_as_they_are(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    sandbox = sender.sandbox
    monkeypatch.setattr(joining, "gives_the_same", lambda *_: False)
    sender.push(*(answer(f"a{number}") for number in range(4)))
    take(sandbox)
    take(sandbox)
    assert len(files(sandbox)) == 4
    # Twice as many are another matter, and are tried again: the same is in the way.
    sender.push(*(answer(f"b{number}") for number in range(4)))
    take(sandbox)
    take(sandbox)
    assert len(files(sandbox)) == 8
    sender.must_be_in_one_file_each()


def test_a_correction_that_came_after_joined_files_still_counts(sender: Sender):
    sandbox = sender.sandbox
    sender.push(*(answer(f"a{number}", 5) for number in range(4)))
    take(sandbox)
    sender.push(answer("a1", 1))
    assert take(sandbox).corrected == 1
    assert len(files(sandbox)) == 2
    for _ in range(2):
        assert sorted(one["score"] for one in facts(sandbox)) == [1.0, 5.0, 5.0, 5.0]
        take(sandbox)


def test_what_waits_in_quarantine_waits_in_the_joined_file(sender: Sender):
    sandbox = sender.sandbox
    sender.push(answer("a0"), b"[" + answer("a1") + b"," + BAD + b"]", answer("a2"), answer("a3"))
    take(sandbox)
    before = counted(sandbox)
    assert before["rows_quarantined"] == 1
    sandbox.run()
    assert len(files(sandbox)) == 1
    assert counted(sandbox) == before
    (waits,) = sandbox.table("quarantine").iter_rows(named=True)
    assert waits["source"].endswith(files(sandbox)[0])


def test_what_is_held_stays_apart(sender: Sender):
    sandbox = sender.sandbox
    sender.push(*(answer(f"a{number}") for number in range(7)))
    path = sandbox.root / "inbox/chat" / files(sandbox)[3]
    path.write_bytes(b"PK\x03\x04")
    take(sandbox)
    assert [one.state for one in head(sandbox).deliveries].count("held") == 1
    take(sandbox)
    names = files(sandbox)
    assert len(names) == 5, "three before it, itself, and three after it, which are too few to be the newest"
    assert names[1] == path.name


def test_what_was_decided_by_hand_stays_apart(sender: Sender, call: Call):
    sandbox = sender.sandbox
    sender.push(b"[" + answer("a1") + b"," + BAD + b"]", *(answer(f"b{number}") for number in range(4)))
    sandbox.run()
    assert call("quarantine", "drop", "chat", sandbox.root).code == 0
    take(sandbox)
    assert counted(sandbox)["rows_dropped"] == 1
    assert [
        len((sandbox.root / "inbox/chat" / name).read_text().splitlines()) for name in files(sandbox)
    ] == [2, 4]


def test_so_many_at_once_that_no_run_takes_long(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(joining, "JOIN_MAX", 5)
    sandbox = sender.sandbox
    sender.push(*(answer(f"a{number}") for number in range(12)))
    take(sandbox)
    for left in (8, 4):
        take(sandbox)
        assert len(files(sandbox)) == left
    sender.must_be_in_one_file_each()


def test_a_delivery_whose_file_is_gone_is_not_taken_for_a_part(sender: Sender):
    sandbox = sender.sandbox
    sender.push(*(answer(f"a{number}") for number in range(8)))
    take(sandbox)
    (sandbox.root / "inbox/chat" / files(sandbox)[3]).unlink()
    for left in (5, 2, 2):
        take(sandbox)
        assert len(files(sandbox)) == left, "three before it become one, then four after it"
        assert len(facts(sandbox)) == 8


def test_a_file_that_only_looks_like_a_part_is_not_deleted(sender: Sender):
    sandbox = sender.sandbox
    sender.push(*(answer(f"a{number}") for number in range(4)))
    take(sandbox)
    take(sandbox)
    (name,) = files(sandbox)
    first = name.rpartition("-")[2].removesuffix(".jsonl")
    odd = sandbox.write(f"inbox/chat/{first}-{'f' * 16}.jsonl", answer("odd") + b"\n")
    assert Joined.of([f"inbox/chat/{name}"]).holder(f"inbox/chat/{odd.name}")
    take(sandbox)
    assert odd.exists()


def test_what_comes_after_joined_files_is_named_after_them_though_ledger_and_clock_are_lost(sender: Sender):
    sandbox = sender.sandbox
    sender.push(*(answer(f"a{number}") for number in range(4)))
    take(sandbox)
    take(sandbox)
    (name,) = files(sandbox)
    for path in (sandbox.root / "warehouse").glob("ledger.db*"):
        path.unlink()
    inbox = Inbox(Ledger(sandbox.root / "warehouse"))
    inbox.put([pushed("new", answer("new"))])
    pour(inbox, feed_of(sandbox), sandbox.root, NOW - timedelta(days=1))
    assert files(sandbox)[0] == name
    assert take(sandbox).new == 1


def test_joined_made_of_names_knows_what_each_stands_for():
    def name(first: int, last: int) -> str:
        stamps = [f"20260302T0500{second:02}000000" for second in (first, last)]
        return f"inbox/chat/{stamps[1]}-{'a' * 16}" + (f"-{stamps[0]}.jsonl" if first < last else ".jsonl")

    joined = Joined.of(
        [name(1, 1), name(3, 5), name(3, 9), name(6, 9), name(7, 7), name(12, 20), name(30, 30)]
    )
    held = {
        (first, last): joined.holder(name(first, last))
        for first, last in (
            (1, 1),
            (3, 5),
            (3, 9),
            (6, 9),
            (7, 7),
            (9, 9),
            (10, 10),
            (12, 20),
            (15, 15),
            (30, 30),
        )
    }
    assert {key: holder for key, holder in held.items() if holder} == {
        (3, 5): name(3, 9), (6, 9): name(3, 9), (7, 7): name(3, 9), (9, 9): name(3, 9), (15, 15): name(12, 20),
    }  # fmt: skip
    assert joined.holder("inbox/chat/2025.jsonl") is None
    assert joined.holder(name(7, 7).replace("chat", "other")) is None


def test_a_run_that_joins_dies_at_any_step_and_each_delivery_is_told_once(sender: Sender, tmp_path: Path):
    """After every death the next run ends where a run that nobody killed would have."""
    template = sender.sandbox.root
    sender.push(*(answer(f"a{number}", 1 + number % 5) for number in range(5)))
    take(sender.sandbox)
    expected = facts(sender.sandbox), counted(sender.sandbox)
    folders = iter(tmp_path / str(number) for number in range(200))

    def prepare() -> Sandbox:
        return Sandbox(Path(shutil.copytree(template, next(folders), symlinks=True)))

    def joins(sandbox: Sandbox) -> None:
        workspace, store = sandbox.load(), EventStore(sandbox.root / "warehouse/store")
        inbox = Inbox(Ledger(sandbox.root / "warehouse"))
        join(Setting(workspace, store, store.head()), feed_of(sandbox), (), inbox)

    def judge(sandbox: Sandbox) -> None:
        take(sandbox)
        assert (facts(sandbox), counted(sandbox)) == expected
        assert len(head(sandbox).deliveries) == len(files(sandbox)) == 1
        must_be_in_one_file_each(sandbox, sender.lines)

    assert every_death(prepare, joins, judge) > 3

    def settles(sandbox: Sandbox) -> None:
        store = EventStore(sandbox.root / "warehouse/store")
        inbox = Inbox(Ledger(sandbox.root / "warehouse"))
        settle_joined(Setting(sandbox.load(), store, store.head()), feed_of(sandbox), inbox)

    # A commit knows the joined file, and what it holds is still there.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "settle", lambda *_: None)
        take(sender.sandbox)
    assert len(files(sender.sandbox)) == 6
    assert every_death(prepare, settles, judge) > 3


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_a_workspace_whose_files_are_joined_says_what_one_says_whose_files_are_not(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Histories with corrections, repetitions, rejects and deliveries that are held, in runs as they come."""
    chance = random.Random(seed)
    pair = [Sender(build_hooked(tmp_path / name)) for name in ("joined", "apart")]
    least = 0
    for number in range(5):
        bodies = [_drawn(chance, number) for _ in range(chance.randrange(1, 9))]
        for sender, enough in zip(pair, (chance.choice([3, NEVER]), NEVER), strict=True):
            sender.push(*bodies)
            monkeypatch.setattr(joining, "JOIN_MIN", enough)
            monkeypatch.setattr(joining, "JOIN_MIN_BETWEEN", min(enough, 2) if enough < NEVER else NEVER)
            take(sender.sandbox)
        joined, apart = (sender.sandbox for sender in pair)
        assert facts(joined) == facts(apart)
        assert counted(joined) == counted(apart)
        least = max(least, len(files(apart)) - len(files(joined)))
    assert least > 3, "something was joined"
    for sender in pair:
        sender.must_be_in_one_file_each()
        sender.sandbox.run()
    assert published(joined) == published(apart)
    assert fates(joined) == fates(apart)


def _drawn(chance: random.Random, number: int) -> bytes:
    """An answer, or several; now and then one that was given before, or breaks the contract."""
    told = []
    for _ in range(chance.choice([1, 1, 1, 3])):
        ident = (
            f"a{number}-{chance.randrange(10**6)}"
            if chance.random() < 0.97
            else f"again{chance.randrange(3)}"
        )
        body = json.loads(answer(ident, chance.randrange(1, 6), chance.choice(["order", "delivery"])))
        told.append(body | ({"channel": "fax"} if chance.random() < 0.05 else {}))
    return json.dumps(told if len(told) > 1 else told[0]).encode()
