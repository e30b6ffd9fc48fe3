"""Larkspur is what its truth says: read back from the exports alone, with the stdlib."""
# ruff: noqa: INP001, RUF100, S101

import csv
import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from examples.larkspur import plan
from examples.larkspur.generate import Summary, generate

SCALE = 0.02
BERLIN = ZoneInfo("Europe/Berlin")
WINDOW_FROM = datetime(2025, 5, 1, tzinfo=BERLIN)
WINDOW_UNTIL = datetime(2026, 11, 1, tzinfo=BERLIN)
LATE = "history_2026-05_late.csv"
COPY, COPIED = "history_2026-03 (copy).csv", "history_2026-03.csv"

Row = dict[str, str]


@dataclass(frozen=True)
class Larkspur:
    """One generated company: where it lies and what the generator says about it."""

    folder: Path
    summary: Summary

    @property
    def inbox(self) -> Path:
        """Where the exports lie."""
        return self.folder / "inbox"

    def truths(self) -> dict[str, dict]:
        """Return the truths by kind."""
        return {each["kind"]: each for each in json.loads(self.text("truths.json"))}

    def text(self, name: str) -> str:
        """Return a truth file's text."""
        return (self.folder / "truth" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def larkspur(tmp_path_factory: pytest.TempPathFactory) -> Larkspur:
    """Generate a small Larkspur once for all tests."""
    folder = tmp_path_factory.mktemp("larkspur")
    return Larkspur(folder, generate(folder, scale=SCALE))


@pytest.fixture(scope="module")
def owners(larkspur: Larkspur) -> pl.DataFrame:
    """Return the true owner of every event."""
    return pl.read_parquet(larkspur.folder / "truth" / "owners.parquet")


def table(path: Path, separator: str = ",") -> tuple[list[str], list[list[str]]]:
    """Read a CSV export: header and rows; bytes that are not UTF-8 become surrogates."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        header, *rows = csv.reader(lines, delimiter=separator)
    return header, rows


def records(path: Path, separator: str = ",") -> list[Row]:
    """Read the rows of a CSV export by column name."""
    header, rows = table(path, separator)
    return [dict(zip(header, row, strict=False)) for row in rows]


def history_fault(row: Row) -> str | None:
    """Say what is wrong with a history row by itself."""
    try:
        at = datetime.fromisoformat(row["changed_at"])
    except ValueError:
        return "unreadable_time"
    checks = {
        "unknown_stage": row["stage"] not in plan.STAGES,
        "negative_amount": row["amount_eur"].startswith("-"),
        "missing_customer": not row["customer_id"],
        "time_before_1970": at.year < 1970,
        "time_in_future": at.year > 2026,
    }
    return next((fault for fault, wrong in checks.items() if wrong), None)


def read_history(larkspur: Larkspur) -> tuple[dict[str, Row], Counter[str]]:
    """Return the good history rows by id, and the count of each fault."""
    good: dict[str, Row] = {}
    faults: Counter[str] = Counter()
    for path in sorted((larkspur.inbox / "crm").glob("history_*.csv")):
        for row in records(path) if path.name != COPY else []:
            fault = history_fault(row)
            if fault is None and row["history_id"] in good:
                repeats = good[row["history_id"]] == row
                fault = "identical_row" if repeats else "reused_id"
            if fault is None:
                good[row["history_id"]] = row
            else:
                faults[fault] += 1
    return good, faults


def answer_fault(row: list[str]) -> str | None:
    """Say what is wrong with an answer row."""
    if len(row) < 10:
        return "cut_row"
    if not row[9].isascii() and any("\udc80" <= letter <= "\udcff" for letter in row[9]):
        return "not_utf8"
    return "csat_out_of_range" if row[7] and not 1 <= int(row[7]) <= 5 else None


def read_answers(larkspur: Larkspur) -> tuple[list[Row], Counter[str]]:
    """Return the good answers, and the count of each fault."""
    good, faults = [], Counter()
    for path in sorted((larkspur.inbox / "survey").glob("answers_*.csv")):
        header, rows = table(path, ";")
        for row in rows:
            fault = answer_fault(row)
            if fault is None:
                good.append(dict(zip(header, row, strict=True)))
            else:
                faults[fault] += 1
    return good, faults


def read_tickets(larkspur: Larkspur) -> tuple[list[dict], int]:
    """Return the good tickets, and the count of lines that are not JSON."""
    good, cut = [], 0
    for path in sorted((larkspur.inbox / "tickets").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                good.append(json.loads(line))
            except json.JSONDecodeError:
                cut += 1
    return good, cut


def owner_of(touchpoint: str | None, at: datetime) -> str | None:
    """Look up by hand who holds a touchpoint at an instant."""
    for seat in plan.SEATS:
        if touchpoint in seat.touchpoints:
            begun = [term for term in seat.terms if term.since.astimezone(UTC) <= at]
            return begun[-1].person
    return None


def canonical(email: str) -> str:
    """Strip an e-mail address of case, blanks and tag."""
    local, _, domain = email.strip().lower().partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def digits(phone: str) -> str:
    """Bring a German phone number into its international form."""
    bare = "".join(letter for letter in phone if letter.isdigit() or letter == "+")
    bare = bare.replace("+49", "0049", 1)
    return "+49" + (bare[4:] if bare.startswith("0049") else bare[1:])


def customer_by(larkspur: Larkspur) -> dict[str, set[str]]:
    """Return the customers of every canonical e-mail address and phone."""
    found = defaultdict(set)
    for row in records(larkspur.inbox / "crm" / "customers.csv"):
        for identifier in filter(None, (row["email"], row["phone"])):
            found[identifier].add(row["customer_id"])
    return found


def only(candidates: set[str]) -> str | None:
    """Return the one candidate, if there is just one."""
    return next(iter(candidates)) if len(candidates) == 1 else None


def events(larkspur: Larkspur) -> dict[str, tuple[datetime, str | None, str | None]]:
    """Derive every event from the exports: instant, touchpoint, customer by native id."""
    known = customer_by(larkspur)
    touchpoints = {survey.name: survey.touchpoint for survey in plan.SURVEYS}
    found = {}
    for row in read_history(larkspur)[0].values():
        at = datetime.fromisoformat(row["changed_at"]).replace(tzinfo=BERLIN)
        found[row["history_id"]] = (at, plan.STAGES[row["stage"]], row["customer_id"])
    for path in (larkspur.inbox / "survey").glob("invitations_*.csv"):
        for row in records(path, ";"):
            at, who = datetime.fromisoformat(row["sent_at"]), known[canonical(row["email"])]
            found[row["invitation_id"]] = (at, touchpoints[row["survey"]], only(who))
    for row in read_answers(larkspur)[0]:
        at, who = datetime.fromisoformat(row["answered_at"]), known[canonical(row["email"])]
        for question in ("nps", "csat", "ces"):
            if row[question]:
                native = f"{row['answer_id']}:{question}"
                found[native] = (at, touchpoints[row["survey"]], only(who))
    for ticket in read_tickets(larkspur)[0]:
        asks = ticket["requester"]
        sets = [known[canonical(asks["email"])]] if "email" in asks else []
        sets += [known[digits(asks["phone"])]] if "phone" in asks else []
        touchpoint = "chat" if ticket["channel"] == "chat" else "help_desk"
        for entry in ticket["history"]:
            if entry["at"]:
                at = datetime.fromisoformat(entry["at"])
                native = f"{ticket['id']}#{entry['seq']}"
                found[native] = (at, touchpoint, only(set.intersection(*sets)))
    return found


def test_same_seed_gives_same_bytes_and_times(larkspur: Larkspur, tmp_path: Path) -> None:
    """A second generation cannot be told from the first."""
    generate(tmp_path, scale=SCALE)
    first = sorted(path for path in larkspur.folder.rglob("*") if path.is_file())
    second = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    names = [path.relative_to(larkspur.folder) for path in first]
    assert names == [path.relative_to(tmp_path) for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
        assert one.stat().st_mtime_ns == other.stat().st_mtime_ns, one.name


def test_volumes_follow_the_scale(larkspur: Larkspur, tmp_path: Path) -> None:
    """Twice the scale gives twice the CRM and tickets; surveys have their fewest answers."""
    double = generate(tmp_path, scale=2 * SCALE, seed=7)
    for feed in ("crm", "tickets"):
        ratio = double.events[feed] / larkspur.summary.events[feed]
        assert ratio == pytest.approx(2, rel=0.06)
    assert double.customers == 2 * larkspur.summary.customers == 1_600


def test_too_small_a_scale_is_refused(tmp_path: Path) -> None:
    """Nothing is written when not everything could be planted."""
    with pytest.raises(ValueError, match=r"at least 0\.01"):
        generate(tmp_path, scale=0.001)
    assert not list(tmp_path.iterdir())


def test_history_holds_the_planted_dirt(larkspur: Larkspur) -> None:
    """Every fault of the CRM history occurs exactly as often as planned."""
    _, faults = read_history(larkspur)
    assert faults == plan.BROKEN_HISTORY | plan.REPEATED_HISTORY


def test_answers_hold_the_planted_dirt(larkspur: Larkspur) -> None:
    """Every fault of the answers occurs exactly as often as planned."""
    _, faults = read_answers(larkspur)
    assert faults == plan.BROKEN_ANSWERS


def test_tickets_hold_the_planted_dirt(larkspur: Larkspur) -> None:
    """Cut lines and undated entries occur exactly as often as planned."""
    tickets, cut = read_tickets(larkspur)
    undated = [entry for ticket in tickets for entry in ticket["history"] if not entry["at"]]
    assert (cut, len(undated)) == (plan.CUT_TICKETS, plan.UNDATED_ENTRIES)


def test_one_file_is_delivered_twice_and_one_late(larkspur: Larkspur) -> None:
    """The copy has the same bytes; the late rows are of February and in no other file."""
    crm = larkspur.inbox / "crm"
    assert (crm / COPY).read_bytes() == (crm / COPIED).read_bytes()
    late = records(crm / LATE)
    assert len(late) == 30 == larkspur.truths()["late_rows"]["expect"]["rows"]
    assert all(row["changed_at"].startswith("2026-02") for row in late)
    others = (path for path in crm.glob("history_*") if path.name != LATE)
    elsewhere = {row["history_id"] for path in others for row in records(path)}
    assert elsewhere.isdisjoint(row["history_id"] for row in late)


def test_berlin_times_exist_once(larkspur: Larkspur) -> None:
    """No time without an offset falls in an hour that a clock change skips or repeats."""
    rows = read_history(larkspur)[0].values()
    texts = {row["changed_at"] for row in rows}
    texts |= {row["registered_at"] for row in records(larkspur.inbox / "crm" / "customers.csv")}
    for text in texts:
        early = datetime.fromisoformat(text).replace(tzinfo=BERLIN)
        assert early.utcoffset() == early.replace(fold=1).utcoffset(), text


def test_owners_agree_with_the_exports(larkspur: Larkspur, owners: pl.DataFrame) -> None:
    """The truth holds exactly the good events, all inside the window, rightly attributed."""
    derived = events(larkspur)
    assert sorted(owners["native_id"]) == sorted(derived)
    assert len(owners) == larkspur.summary.total
    rows = list(owners.iter_rows(named=True))
    assert all(WINDOW_FROM <= row["occurred_at"] < WINDOW_UNTIL for row in rows)
    for row in rows:
        at, touchpoint, customer = derived[row["native_id"]]
        expected = (at.astimezone(UTC), touchpoint, owner_of(touchpoint, at), customer)
        found = (row["occurred_at"], row["touchpoint"], row["person"], row["customer_id"])
        assert found == expected, row


def test_a_day_of_two_owners_is_split_at_the_minute(larkspur: Larkspur) -> None:
    """The change of hands in the middle of a day is counted as the exports have it."""
    change = datetime(2026, 8, 14, 14, 30, tzinfo=BERLIN)
    that_day = [
        "bo" if at < change else "dana"
        for at, touchpoint, _ in events(larkspur).values()
        if touchpoint == "delivery" and at.astimezone(BERLIN).date() == change.date()
    ]
    expect = larkspur.truths()["owner_change"]["expect"]
    assert expect["events_that_day"] == Counter(that_day)


def test_ticket_histories_are_consistent(larkspur: Larkspur) -> None:
    """Entries are numbered and ordered, and each starts from what the last one left."""
    for ticket in read_tickets(larkspur)[0]:
        history = ticket["history"]
        assert [entry["seq"] for entry in history] == list(range(1, len(history) + 1))
        times = [entry["at"] for entry in history if entry["at"]]
        assert times == sorted(times)
        assert history[0]["at"] == ticket["created_at"]
        state = {"status": "new"}
        for entry in history:
            assert entry["from"] == state.get(entry["field"])
            state[entry["field"]] = entry["to"]


def test_ping_pong_is_counted_exactly(larkspur: Larkspur) -> None:
    """Handoffs between the two groups and tickets that came back are as told."""
    pair = {"Fulfilment", "Carrier Desk"}
    between, returned = 0, 0
    for ticket in read_tickets(larkspur)[0]:
        groups = [entry["to"] for entry in ticket["history"] if entry["field"] == "group"]
        moves = pairwise(groups)
        between += sum(set(move) == pair for move in moves)
        returned += len(set(groups)) < len(groups)
    expect = larkspur.truths()["ping_pong"]["expect"]
    assert (expect["handoffs"], expect["tickets_returned"]) == (between, returned)
    assert returned > 0


def test_summary_accounts_for_every_row(larkspur: Larkspur) -> None:
    """Each file's rows are valid, broken or duplicates; the files on disk are those told of."""
    told = json.loads(larkspur.text("summary.json"))
    assert told["files"] == {name: asdict(count) for name, count in larkspur.summary.files.items()}
    on_disk = {path.relative_to(larkspur.inbox).as_posix() for path in larkspur.inbox.rglob("*.*")}
    assert on_disk == set(told["files"])
    for name, file in told["files"].items():
        separator = ";" if name.startswith("survey") else ","
        path = larkspur.inbox / name
        lines = path.read_text(encoding="utf-8").splitlines() if name.endswith("l") else None
        rows = table(path, separator)[1] if lines is None else lines
        faulty = sum(file["broken"].values()) + sum(file["duplicates"].values())
        assert len(rows) == file["rows"] == file["valid"] + faulty, name
    assert sum(file["events"] for file in told["files"].values()) == told["total"]


def test_one_company_shares_its_identifiers(larkspur: Larkspur) -> None:
    """Only the planted e-mail address and phone belong to more than one customer."""
    shared = {key: len(who) for key, who in customer_by(larkspur).items() if len(who) > 1}
    assert shared == {plan.SHARED_EMAIL: 60, "+49" + "".join(plan.SWITCHBOARD): 45}


def test_surveys_stop_and_keep_their_true_shares(larkspur: Larkspur) -> None:
    """The feed ends when told, and its answers show what is true on both sides of a change."""
    truths = larkspur.truths()
    stopped = datetime.fromisoformat(truths["late_feed"]["when"])
    assert stopped.date().isoformat() == "2026-10-26"
    answers = read_answers(larkspur)[0]
    assert all(datetime.fromisoformat(row["answered_at"]) <= stopped for row in answers)
    for kind, survey in (("metric_drop", "delivery"), ("action_worked", "checkout")):
        truth = truths[kind]
        turn = datetime.fromisoformat(truth["when"])
        sides = {"before": [], "after": []}
        for row in answers:
            if row["survey"] == survey:
                later = datetime.fromisoformat(row["answered_at"]) >= turn
                sides["after" if later else "before"].append(int(row["csat"]) >= 4)
        for side, happy in sides.items():
            expect = truth["expect"]
            assert expect[side] == {"answers": len(happy), "top_two": sum(happy)}
            assert abs(sum(happy) - expect[f"true_share_{side}"] * len(happy)) <= 0.5


def test_every_week_has_its_fewest_answers(larkspur: Larkspur) -> None:
    """At a small scale chat and delivery still have about 20 answers a week, others 3."""
    weeks = (plan.SURVEYS_STOP - plan.WINDOW_FROM) / timedelta(weeks=1)
    counts = Counter(row["survey"] for row in read_answers(larkspur)[0])
    for name, fewest in (("chat", 20), ("delivery", 20), ("shop", 3), ("relationship", 3)):
        assert counts[name] / weeks == pytest.approx(fewest, rel=0.05)


def test_truths_are_complete(larkspur: Larkspur) -> None:
    """Every planted kind is told once, in the agreed form."""
    told = json.loads(larkspur.text("truths.json"))
    assert len(told) == len(larkspur.truths()) == 26
    for truth in told:
        assert set(truth) == {
            "id", "kind", "sentence", "where", "when", "expect", "looked_for_by"
        }  # fmt: skip
        assert truth["sentence"].endswith(".")
        assert truth["looked_for_by"] in {
            "attribution", "audit", "verdict", "contracts", "freshness", "verification", "sampling"
        }  # fmt: skip
