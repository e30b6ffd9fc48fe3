"""From the inbox to files: each delivery in exactly one, in the order of coming, whenever a run is killed."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from contracts.errors import WorkspaceError
from contracts.feeds import Feed
from flows import pouring
from flows.feeds.push import POURED
from flows.pouring import lines, pour
from flows.workspace import load
from tests.conftest import Call, Sandbox
from tests.flows.hooks import HOOK, answer, build_hooked
from warehouse.inbox import Inbox, Pushed
from warehouse.ledger import InboxRow, Ledger
from warehouse.store import EventStore

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)


def pushed(ident: str, body: bytes | None = None, **more: object) -> Pushed:
    told = answer(ident) if body is None else body
    one = Pushed(feed="chat", delivery_id=ident, received_at=NOW, sha256=ident, body=told)
    return replace(one, **more)  # ty: ignore[invalid-argument-type]


@pytest.fixture
def hooked(tmp_path: Path) -> Sandbox:
    return build_hooked(tmp_path / "workspace")


@pytest.fixture
def inbox(hooked: Sandbox) -> Inbox:
    return Inbox(Ledger(hooked.root / "warehouse"))


def feed_of(sandbox: Sandbox) -> Feed:
    return next(feed for feed in sandbox.load().feeds if feed.name == "chat")


def poured(sandbox: Sandbox) -> list[dict]:
    """Every line of every file, in the order of the files' names."""
    paths = sorted((sandbox.root / "inbox/chat").glob("*"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_what_was_accepted_becomes_events_of_its_feed_in_the_next_run(hooked: Sandbox, inbox: Inbox):
    inbox.put([pushed("a"), pushed("b", answer("b", 1)), pushed("bad", b'{"answer_id":"bad"}')])
    outcome = hooked.run()
    (delivery,) = outcome.read
    assert (delivery.feed, delivery.rows_read, delivery.rows_accepted) == ("chat", 3, 2)
    assert outcome.absorbed.new == 2
    assert POURED.match(Path(delivery.source).name)
    assert inbox.counts() == {"landed": 3}
    again = hooked.run()
    assert (again.read, again.absorbed.new, again.is_unchanged) == ((), 0, True)


def test_what_comes_while_a_run_pours_is_in_a_file_no_earlier_than_it_came(hooked: Sandbox, inbox: Inbox):
    late = NOW + timedelta(seconds=2)
    inbox.put([pushed("a"), pushed("b", received_at=late)])
    assert pour(inbox, feed_of(hooked), hooked.root, NOW) == 2
    with inbox.ledger.reading() as session:
        assert set(session.scalars(sa.select(InboxRow.processed_at))) == {late}


def test_what_is_known_besides_can_be_a_column(hooked: Sandbox, inbox: Inbox):
    inbox.put([pushed("a", received_at=NOW - timedelta(minutes=3))])
    hooked.run()
    store = EventStore(hooked.root / "warehouse/store")
    (delivery,) = store.head().deliveries
    told = store.landed(delivery.parts["events"])
    assert told["recorded_at"].to_list() == [NOW - timedelta(minutes=3)]


def test_of_two_tellings_the_one_that_came_last_counts(hooked: Sandbox, inbox: Inbox):
    for ident, score in (("one", 1), ("two", 5)):
        inbox.put([pushed(ident, answer("same", score))])
        hooked.run()
    store = EventStore(hooked.root / "warehouse/store")
    assert store.head().scan(["event_id", "score"]).collect()["score"].to_list() == [5.0]


def test_lists_and_lines_become_lines_untouched_but_for_what_we_add():
    long = b'{"id":12345678901234567890123, "x":1.10}'
    (line,) = lines(pushed("a", long))
    assert line.startswith(b'{"id":12345678901234567890123, "x":1.10,"answerable":{')
    assert [json.loads(one).get("n") for one in lines(pushed("b", b'[{"n":1},{"n":2},{}]'))] == [1, 2, None]
    many = pushed(
        "c", b'{"n":1}\n{"n":2}\n', headers={"content-type": "application/x-ndjson", "x-event": "ping"}
    )
    told = [json.loads(one) for one in lines(many)]
    assert [one["n"] for one in told] == [1, 2]
    assert told[0]["answerable"] == {
        "delivery_id": "c",
        "received_at": "2026-03-02T05:00:00.000000+00:00",
        "headers": {"content_type": "application/x-ndjson", "x_event": "ping"},
    }


def test_nobody_can_say_in_the_body_what_we_say():
    (line,) = lines(pushed("a", b'{"answerable":{"received_at":"2000-01-01"}}'))
    assert json.loads(line)["answerable"]["delivery_id"] == "a"


def test_a_body_that_later_code_cannot_read_is_set_aside_and_never_lost(hooked: Sandbox, inbox: Inbox):
    inbox.put([pushed("a"), pushed("b"), pushed("odd", b"\xffnot json\n")])
    (delivery,) = hooked.run().read
    assert (delivery.rows_read, delivery.rows_accepted, delivery.reasons) == (3, 2, {"line.not_an_object": 1})


ANSWERS = {name: answer(name) for name in ("a", "b", "c", "d")}
TOGETHER: dict[str, tuple[bytes, ...]] = {
    "sound": (ANSWERS["a"], ANSWERS["b"]),
    "broken and sound": (ANSWERS["c"], answer("bad", 99), answer("own", 4)),
    "broken": (answer("worse", 99),),
    "what another one told": (ANSWERS["c"], ANSWERS["d"]),
    "a correction": (answer("a", 1),),
    "one key twice": (answer("e"), answer("e", 2), *(answer(f"e{number}") for number in range(30))),
    "no object": (b'{"answer_id":{}}', ANSWERS["a"]),
}
"""Deliveries by their id; at most every tenth row may be broken."""
MORE_RULES = """
  - name: answers
    quality:
      - {id: few_low, type: sql, query: "SELECT COUNT(*) FROM ${object} WHERE satisfaction < 3", mustBeLessThan: 1, unit: rows}
      - {id: small, type: library, metric: rowCount, mustBeBetween: [1, 30]}
"""


def judged(root: Path, at_once: int, *more: tuple[str, str]) -> Sandbox:
    """A workspace with `TOGETHER`, so many of them poured into each file."""
    hooked = build_hooked(root)
    hooked.replace("contracts/chat.odcs.yaml", "value: 0.5", "value: 0.1")
    for old, new in more:
        hooked.replace("contracts/chat.odcs.yaml", old, new)
    inbox = Inbox(Ledger(hooked.root / "warehouse"))
    bodies = {ident: b"[" + b",".join(rows) + b"]" for ident, rows in TOGETHER.items()}
    every = [pushed(ident, body) for ident, body in bodies.items()]
    for first in range(0, len(every), at_once):
        inbox.put(every[first : first + at_once])
        pour(inbox, feed_of(hooked), hooked.root, NOW + timedelta(minutes=first))
    return hooked


def counting(sandbox: Sandbox) -> tuple[dict[str, float], Counter[str]]:
    """Scores by event, and what waits in quarantine by reason."""
    state = EventStore(sandbox.root / "warehouse/store").head()
    events = state.scan(["event_id", "score"]).collect()
    return dict(events.iter_rows()), Counter(sandbox.table("quarantine")["_reasons"])


@pytest.mark.parametrize(
    "more", [(), (("\n  - name: answers\n", MORE_RULES),)], ids=["", "with rules over all rows"]
)
def test_whichever_deliveries_are_poured_together_the_same_ones_count(
    more: tuple[tuple[str, str], ...], tmp_path: Path
):
    found = []
    for at_once in (1, 2, len(TOGETHER)):
        hooked = judged(tmp_path / str(at_once), at_once, *more)
        hooked.run()
        found.append(counting(hooked))
    assert found[0] == found[1] == found[2]


def test_a_pushed_delivery_stands_or_falls_by_itself(tmp_path: Path):
    hooked = judged(tmp_path, len(TOGETHER))
    outcome = hooked.run()
    (delivery,) = outcome.deliveries
    assert delivery.state == "accepted"
    scores, reasons = counting(hooked)
    # Of those that fell, what is sound waits beside what is broken; what others tell of as well counts.
    assert sorted(scores.values()) == sorted([1.0, *[5.0] * 34])
    assert reasons == {
        "satisfaction.maximum": 2,
        "answer_id.type": 1,
        "delivery.quarantine_rate": 3,
        "primary_key.unique": 1,
    }
    (said,) = outcome.left_out
    assert (
        f"{delivery.source}: delivery 'broken and sound', received at 2026-03-02T05:00:00.000000+00:00: 1 of 3 rows "
        "broke the contract (satisfaction.maximum 1), more than 10%. delivery 'broken'" in said
    )
    assert "answerable quarantine replay" in said


def test_what_fell_with_its_delivery_can_be_admitted_or_given_up(tmp_path: Path, call: Call):
    hooked = judged(tmp_path, len(TOGETHER))
    hooked.run()
    assert "1 row re-admitted" in call("quarantine", "replay", "chat", hooked.root).out
    scores, reasons = counting(hooked)
    assert 4.0 in scores.values()
    assert reasons["delivery.quarantine_rate"] == 2, "what others in the file tell of as well"
    # Read anew under another contract, what was decided stands.
    hooked.replace("contracts/chat.odcs.yaml", "maximum: 5", "maximum: 6")
    assert hooked.run().read
    assert counting(hooked) == (scores, reasons)


class Killed(BaseException):
    """The run is gone."""


def _dies(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize("at", ["claimed", "made", "noted"])
def test_killed_between_any_two_steps_each_delivery_is_in_one_file(
    at: str, hooked: Sandbox, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
):
    inbox.put([pushed(f"{number}") for number in range(5)])
    feed = feed_of(hooked)
    noted = inbox.landed
    dying = {"claimed": (pouring, "create", _dies), "made": (inbox, "landed", _dies)}
    dies = dying.get(at, (inbox, "landed", lambda *told: (noted(*told), _dies())))
    with monkeypatch.context() as patch:
        patch.setattr(*dies)
        with pytest.raises(Killed):
            pour(inbox, feed, hooked.root, NOW)
    inbox.put([pushed(f"{number}") for number in range(5, 8)])
    pour(inbox, feed, hooked.root, NOW)
    assert pour(inbox, feed, hooked.root, NOW) == 0
    told = Counter(one["answerable"]["delivery_id"] for one in poured(hooked))
    assert told == {f"{number}": 1 for number in range(8)}
    assert inbox.counts() == {"landed": 8}


def test_what_another_version_had_named_is_made_under_a_name_of_its_own(
    hooked: Sandbox, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
):
    inbox.put([pushed("a")])
    feed = feed_of(hooked)
    with monkeypatch.context() as patch:
        patch.setattr(pouring, "create", _dies)
        with pytest.raises(Killed):
            pour(inbox, feed, hooked.root, NOW)
    monkeypatch.setattr(pouring, "lines", lambda one: [one.body])
    pour(inbox, feed_of(hooked), hooked.root, NOW)
    (path,) = (hooked.root / "inbox/chat").iterdir()
    assert path.read_bytes() == answer("a") + b"\n"
    assert inbox.newest_file("chat") == str(path.relative_to(hooked.root))


def test_names_are_in_the_order_of_coming_although_the_clock_is_set_back(hooked: Sandbox, inbox: Inbox):
    feed = feed_of(hooked)
    for number, minutes in enumerate((0, -60, -60, 1)):
        inbox.put([pushed(f"{number}")])
        pour(inbox, feed, hooked.root, NOW + timedelta(minutes=minutes))
    assert [one["answerable"]["delivery_id"] for one in poured(hooked)] == ["0", "1", "2", "3"]


def test_many_become_several_files(hooked: Sandbox, inbox: Inbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pouring, "DELIVERIES_MAX", 3)
    inbox.put([pushed(f"{number}") for number in range(8)])
    assert pour(inbox, feed_of(hooked), hooked.root, NOW) == 8
    assert len(list((hooked.root / "inbox/chat").iterdir())) == 3
    assert [one["answer_id"] for one in poured(hooked)] == [f"{number}" for number in range(8)]


def test_files_of_a_time_before_the_hook_are_read_beside(hooked: Sandbox, inbox: Inbox):
    hooked.replace("feeds/chat.yaml", "format: jsonl", "format: jsonl\n    settle_seconds: 0")
    hooked.write("inbox/chat/2025.jsonl", answer("old", day="2026-01-20") + b"\n")
    inbox.put([pushed("new")])
    assert {delivery.event_count for delivery in hooked.run().read} == {1}
    assert hooked.table("measure_daily").filter(pl.col("metric") == "csat")["n"].sum() == 2


# What `check` says of hooks

Flaw = tuple[str, str, str]
FLAWS: list[Flaw] = [
    (
        "receive: {scheme: github, secret_from: CHAT_SECRET}\n",
        "",
        "feeds/chat.yaml:3: a feed that is pushed to",
    ),
    ("kind: push", "kind: file", "feeds/chat.yaml:5: 'receive' is for kind push, not file. Drop it."),
    ("scheme: github", "scheme: gitlab", "feeds/chat.yaml:5: 'scheme' is 'gitlab'. Did you mean 'github'?"),
    (
        "secret_from: CHAT_SECRET",
        "secret_from: hunter2",
        "'secret_from' is 'hunter2'. Use capital letters, digits and '_'",
    ),
    ("inbox/chat/*.jsonl", "inbox/*/x.jsonl", "in one folder, not at 'inbox/*/x.jsonl'. Write it like"),
    ("inbox/chat/*.jsonl", "'*.jsonl'", "in one folder, not at '*.jsonl'."),
    ("format: jsonl", "format: csv", "what is pushed is kept as jsonl in UTF-8."),
    ("CHAT_SECRET}", "CHAT_SECRET, limit_bytes: 999000}", "Write 'line_limit_bytes: 1001000' or more"),
    ("scheme: github", "scheme: hubspot", "This scheme signs the address: write the 'url'"),
    ("CHAT_SECRET}", "CHAT_SECRET, delivery_id: {header: X-Id}}", "Header 'X-Id' is not signed"),
]


@pytest.mark.parametrize(("old", "new", "said"), FLAWS)
def test_a_hook_that_cannot_work_is_told_by_check(old: str, new: str, said: str, hooked: Sandbox):
    hooked.replace("feeds/chat.yaml", old, new)
    with pytest.raises(WorkspaceError) as refused:
        load(hooked.root)
    assert said in str(refused.value)


def test_two_streams_and_two_feeds_in_one_folder_are_refused(hooked: Sandbox):
    stream = HOOK.partition("streams:\n")[2]
    hooked.write("feeds/chat.yaml", HOOK + stream.replace("name: answers", "name: more"))
    hooked.write("feeds/mail.yaml", HOOK.replace("feed: chat", "feed: mail"))
    with pytest.raises(WorkspaceError) as refused:
        load(hooked.root)
    assert "has one stream, not 2. Make a feed of each." in str(refused.value)
    assert "folder 'inbox/chat' is that of another feed that is pushed to, at feeds/chat.yaml:8" in str(
        refused.value
    )


def test_a_dry_run_shows_what_the_inbox_holds(hooked: Sandbox, inbox: Inbox, call: Callable[..., Call]):
    inbox.put([pushed("a"), pushed("b")])
    said = call("run", hooked.root, "--dry-run")
    assert "inbox      chat.answers             2 deliveries" in said.out
    assert inbox.counts() == {"accepted": 2}
