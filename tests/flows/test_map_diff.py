"""`map diff` as a user meets it: revisions, folders, the ratchet, and equality with two whole runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from contracts.map_change import MapChange
from flows.commands import map_diff as command
from flows.passes import credited_events
from flows.run import run_inline
from flows.whatif import NEEDS_EVENTS, NEEDS_RELEASE, map_change
from flows.workspace import load
from tests.conftest import Company, Sandbox, build_sandbox
from transforms.audit import RULES, open_findings
from warehouse.store import EventStore

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")

Call = Callable[..., tuple[int, str, str]]
NEW_GAP = ("    accountable: head_of_logistics", "    accountable: nobody")


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `answerable map diff` in this process: exit code, what it printed, what it complained about."""
    from flows.cli import main

    def called(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["answerable", "map", "diff", *map(str, words)])
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return int(str(code or 0)), printed.out, printed.err

    return called


@pytest.fixture(scope="module")
def committed_once(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = build_sandbox(tmp_path_factory.mktemp("committed") / "repo/work place")
    sandbox.answers(
        "1,ada@x.example,2026-02-10 14:00:00,web,delivery,1",
        "2,ben@x.example,2026-02-10 15:00:00,web,delivery,5",
        "3,ben@x.example,2026-02-10 17:59:59,web,delivery,2",
        "4,cleo@x.example,2026-02-10 18:00:00,web,delivery,5",
        "5,ada@x.example,2026-02-20 09:00:00,web,order,5",
    )
    sandbox.write(".gitignore", "warehouse/\ninbox/\n")
    sandbox.run()
    repository = sandbox.root.parent
    git(repository, "init", "-q", "-b", "main")
    commit(sandbox, "first")
    git(repository, "switch", "-q", "-c", "change")
    return sandbox


@pytest.fixture
def committed(committed_once: Sandbox, tmp_path: Path) -> Sandbox:
    """A workspace below the root of a repository, run once, its first map committed as `main`."""
    made = committed_once.copied(tmp_path / "repo/work place")
    shutil.copytree(committed_once.root.parent / ".git", made.root.parent / ".git")
    return made


def commit(sandbox: Sandbox, message: str) -> None:
    git(sandbox.root, "add", "-A")
    git(sandbox.root, "commit", "-q", "-m", message)


def test_a_moved_handover_credits_exactly_the_events_between_to_the_other_person(
    committed: Sandbox, call: Call
):
    """By hand: at 15:00 and 17:59:59 Ben is accountable instead of Cleo, at 18:00 no longer. One customer."""
    committed.replace("map/map.yaml", "2026-02-10T14:30", "2026-02-10T18:00")
    commit(committed, "later")
    before = git(committed.root, "status", "--porcelain=v2", "--branch")
    code, out, err = call("main..change", "--folder", committed.root, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["base"], told["head"], told["events"]) == ("main", "change", 5)
    assert (told["events_changed"], told["customers_changed"]) == (2, 1)
    (move,) = told["moves"]
    assert (move["touchpoint"], move["starts_at"], move["ends_at"]) == (
        "delivery",
        "2026-02-10T13:30:00+00:00",
        "2026-02-10T17:00:00+00:00",
    )
    assert (move["before"]["owner"], move["after"]["owner"], move["events"]) == ("cleo", "ben", 2)
    assert git(committed.root, "status", "--porcelain=v2", "--branch") == before


def test_only_the_stretch_that_runs_now_hands_over_what_is_open(committed: Sandbox, call: Call):
    """Ada instead of Ben until 10 February, and instead of Cleo since: nobody takes anything over from Ben."""
    committed.replace("map/map.yaml", "accountable: head_of_logistics", "accountable: head_of_sales")
    commit(committed, "sales delivers")
    told = json.loads(call("main..change", "--folder", committed.root, "--json")[1])
    assert [(move["before"]["owner"], move["is_handover"]) for move in told["moves"]] == [
        ("ben", False),
        ("cleo", True),
    ]


def test_a_change_to_come_moves_no_history_but_says_what_is_handed_over(committed: Sandbox, call: Call):
    committed.replace("map/map.yaml", "accountable: head_of_sales", FROM_JUNE)
    commit(committed, "in June")
    told = json.loads(call("main..change", "--folder", committed.root, "--json")[1])
    assert told["events_changed"] == 0
    assert told["settled_at"].startswith("2026-05-31T22:00")
    (move,) = told["moves"]
    assert (move["touchpoint"], move["events"], move["window_events"]) == ("order", 0, 1)
    burdens = {
        load["owner"]: (load["before"]["touchpoints"], load["after"]["touchpoints"]) for load in told["loads"]
    }
    assert burdens == {"ada": (1, 0), "cleo": (1, 2)}


def test_a_touchpoint_that_goes_leaves_its_events_unmatched(committed: Sandbox, call: Call):
    text = (committed.root / "map/map.yaml").read_text()
    head, order, delivery = text.partition("  - id: order")[0], "  - id: order", "  - id: delivery"
    assert order in text
    rules = "  - {id: orders, touchpoint: order, where: {about: order}}\n"
    rest = text[text.index(delivery) :].replace(rules, "")
    committed.write("map/map.yaml", head + rest)
    told = json.loads(call("main", "--folder", committed.root, "--json")[1])
    one = {"touchpoint_before": "order", "touchpoint_after": "unmatched", "events": 1, "customers": 1}
    assert told["reroutes"] == [one]
    (move,) = told["moves"]
    assert (move["touchpoint"], move["before"]["owner"], move["after"]) == ("order", "ada", None)
    burdens = {
        load["owner"]: (load["before"]["touchpoints"], load["after"]["touchpoints"]) for load in told["loads"]
    }
    assert burdens == {"ada": (1, 0)}
    assert {gap["rule"] for gap in told["gaps"] if gap["status"] == "new"} == {"unmatched_kind"}


FROM_JUNE = """accountable:
      - {seat: head_of_sales, until: 2026-06-01}
      - {seat: head_of_logistics, from: 2026-06-01}"""


def test_handing_away_the_worst_touchpoint_improves_nobody_s_earned_score(committed: Sandbox, call: Call):
    """Cleo holds both: 2 of 5 satisfied are 3 of 5 in truth; without delivery her score is 100 %, none of it earned."""
    committed.replace("map/map.yaml", "accountable: head_of_sales", "accountable: head_of_logistics")
    commit(committed, "both")
    git(committed.root, "switch", "-q", "-c", "away")
    committed.replace("map/map.yaml", "    stage: engage\n    accountable: head_of_logistics", AWAY)
    commit(committed, "away")
    told = json.loads(call("change..away", "--folder", committed.root, "--json")[1])
    scores = {one["owner"]: one for one in told["scores"]}
    assert (scores["cleo"]["before"], scores["cleo"]["after"]) == pytest.approx((3 / 5, 1.0))
    assert scores["cleo"]["portfolio"] == pytest.approx(2 / 5)
    assert [one["rate"] + one["mix"] for one in told["scores"]] == [0.0] * len(scores)


AWAY = "    stage: engage\n    accountable: head_of_sales"


def test_an_old_gap_passes_and_a_new_one_ends_with_code_8(committed: Sandbox, call: Call):
    committed.replace("map/map.yaml", "accountable: head_of_sales", "accountable: nobody")
    commit(committed, "an old gap")
    git(committed.root, "branch", "-q", "-f", "main")
    committed.replace("map/map.yaml", "name: Delivery", "name: Deliver")
    commit(committed, "something else")
    assert call("main..change", "--folder", committed.root)[0] == 0
    committed.replace("map/map.yaml", *NEW_GAP)
    commit(committed, "a new gap")
    code, out, err = call("main..change", "--folder", committed.root, "--format", "sarif")
    assert code == 8
    assert err.startswith(
        "map/map.yaml:17: Nobody is accountable for Deliver: the map names no seat. (unowned_touch"
    )
    states = {
        result["partialFingerprints"]["answerableGap/v1"]: result["baselineState"] for result in results(out)
    }
    assert states["unowned_touchpoint/touchpoint/delivery"] == "new"
    assert states["unowned_touchpoint/touchpoint/order"] == "unchanged"


def results(sarif: str) -> list[dict]:
    return json.loads(sarif)["runs"][0]["results"]


def test_a_baseline_is_what_is_accepted_and_nothing_else(committed: Sandbox, call: Call, tmp_path: Path):
    baseline = tmp_path / "gaps.json"
    words = ("--folder", committed.root, "--baseline", baseline)
    committed.replace("map/map.yaml", *NEW_GAP)
    assert call("main", *words)[0] == 3, "there is no baseline yet"
    assert call("main", *words, "--write-baseline")[0] == 0
    assert "unowned_touchpoint" in baseline.read_text()
    assert call("main", *words)[0] == 0, "accepted by name, though the base did not have it"
    committed.replace("map/map.yaml", "accountable: head_of_sales", "accountable: nobody")
    code, _, err = call("main", *words)
    assert (code, err.count("\n")) == (8, 1)
    assert "Nobody is accountable for Order" in err
    baseline.write_text("[]")
    assert "is no baseline" in call("main", *words)[2]


def test_only_gaps_as_bad_as_asked_fail(committed: Sandbox, call: Call):
    committed.replace(
        "map/map.yaml", "goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]", ""
    )
    words = ("main", "--folder", committed.root)
    assert call(*words)[0] == 8
    assert call(*words, "--fail-on", "critical")[0] == 0


def test_three_dots_begin_where_the_two_parted(committed: Sandbox, call: Call):
    git(committed.root, "switch", "-q", "main")
    committed.replace("map/map.yaml", "accountable: head_of_sales", "accountable: nobody")
    commit(committed, "main goes on")
    git(committed.root, "switch", "-q", "change")
    assert json.loads(call("main..change", "--folder", committed.root, "--json")[1])["moves"]
    assert not json.loads(call("main...change", "--folder", committed.root, "--json")[1])["moves"]


def test_two_folders_need_no_git(sandbox: Sandbox, call: Call, tmp_path: Path):
    sandbox.run()
    other = build_sandbox(tmp_path / "other")
    other.replace("map/map.yaml", *NEW_GAP)
    code, out, err = call(sandbox.root, other.root)
    assert code == 8
    assert "There are no events to measure it by" in " ".join(out.split())
    assert "metric_never_observed" not in err, "without events nothing is said that only events can tell"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere..change"], "git knows no revision 'nowhere'."),
        (["--base=--output=x..change"], "git knows no revision '--output=x'."),
        (["main.."], "names only one revision."),
        (["main", "--window", "soon"], "'soon' is no length of time. Write it like 90d or 12w."),
        (["main", "--write-baseline"], "has no file to write."),
    ],
)
def test_what_cannot_be_compared_is_said_without_a_traceback(
    committed: Sandbox, call: Call, words, said: str
):
    code, _, err = call("--folder", committed.root, *words)
    assert code == 3
    assert said in err
    assert "Traceback" not in err


def test_a_wrong_map_on_the_branch_is_said_with_its_line(committed: Sandbox, call: Call):
    committed.replace("map/map.yaml", "stage: enter", "stage: entr")
    commit(committed, "wrong")
    code, _, err = call("main..change", "--folder", committed.root)
    assert code == 3
    assert err.startswith("map/map.yaml:13: ")


def test_outside_of_git_a_revision_cannot_be_read(sandbox: Sandbox, call: Call):
    code, _, err = call("main..change", "--folder", sandbox.root)
    assert (code, "git" in err) == (3, True)


def test_sarif_points_into_the_repository_and_keeps_to_the_structure(committed: Sandbox, call: Call):
    """The parts of SARIF 2.1.0 that viewers need: sections 3.13, 3.14, 3.27, 3.29, 3.49 of the standard."""
    committed.replace("map/map.yaml", *NEW_GAP)
    _, out, _ = call("main", "--folder", committed.root, "--format", "sarif")
    log = json.loads(out)
    assert (log["version"], log["$schema"].rpartition("/")[2]) == ("2.1.0", "sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["baselineState"] in ("new", "unchanged", "updated", "absent")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"].startswith("work%20place/")
        file = committed.root.parent / place["artifactLocation"]["uri"].replace("%20", " ")
        assert 1 <= place["region"]["startLine"] <= len(file.read_text().splitlines())


def test_junit_fails_what_is_new_and_skips_what_is_known(committed: Sandbox, call: Call):
    committed.replace("map/map.yaml", *NEW_GAP)
    _, out, _ = call("main", "--folder", committed.root, "--format", "junit")
    root = ET.fromstring(out)  # noqa: S314 - our own
    cases = {case.get("classname"): [part.tag for part in case] for case in root.iter("testcase")}
    assert cases["unowned_touchpoint"] == ["failure"]
    assert int(root.get("failures", 0)) == len(list(root.iter("failure")))
    assert int(root.get("tests", 0)) == len(list(root.iter("testcase")))


def test_markdown_is_a_comment_with_what_matters(committed: Sandbox, call: Call):
    committed.replace("map/map.yaml", *NEW_GAP)
    _, out, _ = call("main", "--folder", committed.root, "--format", "markdown")
    assert out.startswith("### What this change of the map would do\n")
    assert "**New gaps**" in out
    assert "| Delivery | until 2026-02-10 14:30 | Ben (head_of_logistics) | nobody | 1 | 1 | 4 |" in out
    assert "| Delivery | from 2026-02-10 14:30 | Cleo (head_of_logistics) | nobody | 3 | 2 | 4 |" in out


def test_names_are_no_html_in_a_comment(committed: Sandbox, call: Call):
    committed.replace("map/map.yaml", *NEW_GAP)
    committed.replace("map/map.yaml", "name: Delivery", "name: '<img src=x> & | so on'")
    _, out, _ = call("main", "--folder", committed.root, "--format", "markdown")
    assert "<img" not in out
    assert "| &lt;img src=x> &amp; \\| so on | until" in out


def test_rules_that_need_events_are_rules():
    assert {rule.name for rule in RULES} >= NEEDS_EVENTS | NEEDS_RELEASE


def test_the_command_is_quick_to_import():
    code = "import sys, flows.commands.map_diff; print([m for m in ('polars', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert command.map_diff.__doc__


@pytest.fixture(scope="module")
def both(company: Company, tmp_path_factory: pytest.TempPathFactory) -> tuple[MapChange, Path, Path]:
    """The synthetic company and a changed map of it, both run whole; and what map diff says."""
    old = tmp_path_factory.mktemp("old") / "larkspur"
    shutil.copytree(company.root, old, symlinks=True)
    new = tmp_path_factory.mktemp("new") / "larkspur"
    shutil.copytree(company.root, new, symlinks=True)
    changed = Sandbox(new)
    for one in (Sandbox(old), changed):  # what a late feed holds back is not the map's doing
        one.replace(
            "contracts/survey.odcs.yaml",
            "property: freshness, value: 2, unit: d",
            "property: freshness, value: 20, unit: d",
        )
        settings = (one.root / "answerable.yaml").read_text()
        one.write("answerable.yaml", settings + "\nlimits: {touchpoints_per_person: 1}\n")
    run_inline(load(old))
    changed.replace("map/people.yaml", "2026-08-14T14:30", "2026-08-21T09:15")
    changed.replace(
        "map/rules.yaml",
        "touchpoint: chat\n    feed: tickets",
        "touchpoint: help_desk\n    feed: tickets",
    )
    changed.replace("map/rules.yaml", "  - {id: closure_survey", "  # - {id: closure_survey")
    changed.replace("map/touchpoints.yaml", "        at_least: 0.78\n", "        at_least: 0.95\n")
    changed.replace("map/touchpoints.yaml", "accountable: head_of_checkout", "accountable: head_of_shop")
    state = EventStore(load(old).warehouse / "store").head()
    days = (load(old).now - state.span()[0] + timedelta(days=2)).days
    said = map_change(load(old), load(new), state, days, ("old", "new"))
    run_inline(load(new))
    return said, old, new


def table(root: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(root / f"warehouse/published/current/{name}/*.parquet")


def test_gaps_are_those_of_two_whole_runs(both: tuple[MapChange, Path, Path]):
    said, old, new = both
    columns = ["rule", "object_type", "object_id", "sentence", "event_count", "customer_count"]

    def shown(*statuses: str) -> set[tuple]:
        gaps = (gap for gap in said.gaps if gap.status in statuses)
        return {(*gap.key, gap.sentence, gap.events, gap.customers) for gap in gaps}

    had, has = (
        set(
            open_findings(table(root, "gap_finding"))
            .filter(~pl.col("rule").cast(pl.String).is_in(list(NEEDS_RELEASE)))
            .select(columns)
            .iter_rows()
        )
        for root in (old, new)
    )
    assert shown("new", "known") == has
    assert {row[:3] for row in shown("known", "closed")} == {row[:3] for row in had}
    assert {gap.key for gap in said.gaps_that("new")} == {row[:3] for row in has} - {row[:3] for row in had}
    assert "person_overloaded" in {gap.key[0] for gap in said.gaps}
    assert set(said.not_asked) == NEEDS_RELEASE


def test_verdicts_turn_where_two_whole_runs_differ(both: tuple[MapChange, Path, Path]):
    said, old, new = both

    def judged(root: Path) -> dict[tuple, tuple]:
        card = table(root, "scorecard_touchpoint").filter(
            pl.col("period") == "to_date", pl.col("touchpoint_id") != "unmatched"
        )
        rows = card.select("touchpoint_id", "metric", "n", "value", "goal", pl.col("verdict").cast(pl.String))
        return {row[:2]: row[2:] for row in rows.iter_rows()}

    had, has = judged(old), judged(new)
    silent = {None, "no_goal", "no_data"}
    differing = {
        key: (had.get(key), has.get(key))
        for key in {*had, *has}
        if had.get(key, (None,))[-1] != has.get(key, (None,))[-1]
        and not {had.get(key, (None,))[-1], has.get(key, (None,))[-1]} <= silent
    }
    shown = {
        (flip.touchpoint, flip.metric): tuple(
            side and (side.n, side.value, side.goal, side.verdict) for side in (flip.before, flip.after)
        )
        for flip in said.flips
        if flip.owner is None
    }
    assert differing
    assert shown == differing


def test_the_waterfall_weighs_what_two_whole_runs_weigh(both: tuple[MapChange, Path, Path]):
    """Who is accountable and what is matched is the same; verdicts are those of the window, here all days."""
    said, old, new = both
    company = (pl.col("scope_type") == "company") & pl.col("step").cast(pl.String).is_in(
        ["unmatched", "owner"]
    )
    runs = [
        dict(table(root, "gap_waterfall").filter(company).select("step", "event_count").iter_rows())
        for root in (old, new)
    ]
    shown = {rung.step: (rung.events_before, rung.events_after) for rung in said.ladder}
    assert {step: shown[step] for step in runs[0]} == {s: (runs[0][s], runs[1][s]) for s in runs[0]}
    assert [
        sum(percents)
        for percents in zip(*((r.percent_before, r.percent_after) for r in said.ladder), strict=True)
    ] == [100, 100]
    lived = table(old, "gap_waterfall").filter(pl.col("scope_type") == "company")["event_count"].sum()
    assert sum(rung.events_before for rung in said.ladder) == lived


def test_a_change_that_leaves_a_touchpoint_to_nobody_moves_the_waterfall(committed: Sandbox, call: Call):
    """By hand: five events in 28 days; the four of delivery end at the first rung when nobody holds it."""
    seat = "accountable: head_of_logistics"
    committed.replace("map/map.yaml", seat, "accountable: nobody")
    commit(committed, "nobody")
    told = json.loads(call("main..change", "--folder", committed.root, "--json", "--fail-on", "critical")[1])
    owner = next(rung for rung in told["ladder"] if rung["step"] == "owner")
    assert (owner["events_before"], owner["events_after"], owner["percent_after"]) == (0, 4, 80)
    markdown = call("main..change", "--folder", committed.root, "--format", "markdown")[1]
    assert "| nobody is accountable | 0 -> 4 | 0 | 80 |" in markdown


def test_open_cases_and_alerts_are_handed_over(both: tuple[MapChange, Path, Path]):
    """Whoever takes a touchpoint over takes its open tickets and its alerts, those of today's fact tables."""
    said, _, new = both
    still = table(new, "fact_case").filter(pl.col("closed_at").is_null()).group_by("touchpoint_id").len()
    counted = dict(still.iter_rows())
    moved = {move.touchpoint: move for move in said.moves if move.is_handover}
    assert {name: move.open_cases for name, move in moved.items()} == {n: counted.get(n, 0) for n in moved}
    assert not any(move.open_cases for move in said.moves if not move.is_handover)
    found = said.with_alerts(dict.fromkeys((move.touchpoint for move in said.moves), 1))
    assert [move.open_alerts for move in found.moves] == [int(move.is_handover) for move in said.moves]


@pytest.mark.slow
def test_events_change_hands_where_two_whole_runs_credit_otherwise(both: tuple[MapChange, Path, Path]):
    said, old, new = both
    state = EventStore(load(old).warehouse / "store").head()
    one, other = (credited_events(load(root), state) for root in (old, new))
    assert one["event_id"].equals(other["event_id"])
    changed = (one["owner_id"] != other["owner_id"]).sum()
    assert (said.events, said.events_changed) == (one.height, changed)
    assert changed > 0
    elsewhere = pl.DataFrame({"old": one["touchpoint_id"], "new": other["touchpoint_id"]})
    counted = elsewhere.filter(pl.col("old") != pl.col("new")).group_by("old", "new").len()
    assert {(r.touchpoint_before, r.touchpoint_after, r.events) for r in said.reroutes} == set(
        counted.iter_rows()
    )
