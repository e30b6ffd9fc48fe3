"""The command line as a user meets it: what it prints, where, and the code it ends with."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from flows.workspace import IDENTITY_VARIABLE
from tests.conftest import ROOT, Call, Said, Sandbox, build_sandbox
from tests.flows.reading import take, words_below
from tests.flows.sinks import free_port, http_sink

GOOD = "1,planted@secret.example,2026-02-10 09:00:00,web,order,5"
SECRET = "a secret of 32 characters, or more"  # noqa: S105 - the tests' own


def started(*words: str | Path, **environment: str) -> Said:
    """Call the command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "flows", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return Said(done.returncode, done.stdout, done.stderr)


def spoil(sandbox: Sandbox) -> list[str]:
    """Make a workspace wrong in four files; returns where."""
    sandbox.replace("answerable.yaml", "timezone", "timezon")
    sandbox.replace("map/map.yaml", "stage: enter", "stage: entr")
    sandbox.replace("feeds/survey.yaml", "score: satisfaction", "score: satisfacton")
    sandbox.replace("contracts/survey.odcs.yaml", "value: 40", "value: 0")
    return ["answerable.yaml:3", "contracts/survey.odcs.yaml:7", "map/map.yaml:13"]


def test_a_wrong_workspace_ends_with_code_3_and_every_problem_and_no_traceback(sandbox: Sandbox):
    places = spoil(sandbox)
    for command in ("check", "run"):
        said = started(command, sandbox.root)
        assert said.code == 3
        assert said.out == ""
        assert "Traceback" not in said.err
        assert [line.partition(": ")[0] for line in said.err.splitlines()] == places


@pytest.mark.parametrize("what", ["nobody", "somebody else", "no address"])
def test_a_prefect_server_that_is_not_there_is_told_of_by_the_variable_that_names_it(
    what: str, sandbox: Sandbox, call: Call, monkeypatch: pytest.MonkeyPatch
):
    sandbox.answers(GOOD)
    with http_sink() as sink:
        urls = {"nobody": f"http://127.0.0.1:{free_port()}/api", "somebody else": f"{sink.url}/api"}
        monkeypatch.setenv("PREFECT_API_URL", urls.get(what, what))
        said = call("run", sandbox.root)
        assert (said.code, said.err.count("\n")) == (10, 1)
        assert said.err.startswith(f"PREFECT_API_URL: names {urls.get(what, what)!r}, which ")
        assert "run in this process with --inline" in said.err
        assert call("run", sandbox.root, "--inline", "--quiet").code == 0


def test_check_lists_every_problem_as_json(sandbox: Sandbox, call):
    places = spoil(sandbox)
    said = call("check", sandbox.root, "--json")
    assert (said.code, said.err) == (3, "")
    told = json.loads(said.out)
    assert told["ok"] is False
    assert [problem["where"] for problem in told["problems"]] == places
    assert told["problems"][0] == {
        "where": "answerable.yaml:3",
        "what": "unknown key 'timezon'.",
        "remedy": "Did you mean 'timezone'?",
    }


def test_check_of_a_sound_workspace_counts_what_is_there(sandbox: Sandbox, call):
    told = json.loads(call("check", sandbox.root, "--json").out)
    assert told["ok"] is True
    assert (told["touchpoints"], told["seats"], told["feeds"]) == (2, 2, 1)
    said = call("check", sandbox.root)
    assert said.code == 0
    assert f"{sandbox.root}: nothing is wrong." in said.out


@pytest.mark.parametrize("command", ["check", "run", "show"])
def test_a_folder_that_is_no_workspace_is_told(tmp_path: Path, call, command: str):
    words = ["--folder", tmp_path / "nowhere"]
    said = call(command, *words)
    assert said.code == 3
    assert said.err == (
        f"{tmp_path / 'nowhere'}: is no workspace: it has no answerable.yaml. "
        "Go to one, or make one with 'answerable init FOLDER'.\n"
    )


def test_a_held_delivery_ends_the_run_with_code_4_and_a_release(sandbox: Sandbox, call):
    sandbox.answers(GOOD)
    assert call("run", sandbox.root, "--quiet") == Said(0, "", "")
    sandbox.answers(GOOD.replace(",5", ",9"))
    said = call("run", sandbox.root, "--json")
    assert said.code == 4
    told = json.loads(said.out)
    assert told["release"] == 2
    assert [read["state"] for read in told["read"]] == ["held"]
    assert said.err.startswith(
        "held: 1 delivery was left out. inbox/answers.csv: 1 of 1 rows broke the contract"
    )
    assert "Traceback" not in said.err
    card = sandbox.table("scorecard_touchpoint").filter(period="to_date", metric="csat")
    assert int(card["n"].sum()) == 1
    sandbox.answers(GOOD.replace(",5", ",4"))
    assert call("run", sandbox.root, "--quiet").code == 0


def test_a_dry_run_says_what_would_be_read_and_writes_nothing(sandbox: Sandbox, call):
    sandbox.answers(GOOD)
    said = call("run", sandbox.root, "--dry-run", "--json")
    assert json.loads(said.out) == [{"what": "new", "stream": "survey.answers", "file": "inbox/answers.csv"}]
    assert not (sandbox.root / "warehouse").exists()


def test_without_its_secret_a_run_ends_with_code_3_and_says_how_to_make_one(
    sandbox: Sandbox, call, monkeypatch: pytest.MonkeyPatch
):
    sandbox.replace("answerable.yaml", "key: public", "key: environment")
    sandbox.answers(GOOD)
    monkeypatch.setenv(IDENTITY_VARIABLE, "too short")
    said = call("run", sandbox.root)
    assert said.code == 3
    assert said.err.startswith(f"{IDENTITY_VARIABLE}: is not set, or shorter than 16 characters")
    assert "too short" not in said.out + said.err


def test_the_secret_is_in_no_file_and_no_message_and_another_gives_other_keys(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    sandbox.replace("answerable.yaml", "key: public", "key: environment")
    sandbox.replace("feeds/survey.yaml", "{about: about}", "{about: about, who: email}")
    sandbox.answers(GOOD, GOOD.replace("1,", "2,", 1).replace(",5", ",9"))
    said = started("run", sandbox.root, **{IDENTITY_VARIABLE: SECRET})
    assert said.code == 0
    needles = (SECRET, SECRET.encode().hex(), "planted@secret", "secret.example")
    below = list(words_below(sandbox.root / "warehouse"))
    assert not [needle for needle in needles if any(needle in text for _, text in below)]
    assert not [needle for needle in needles if needle in said.out + said.err]
    first = _keys(sandbox)
    monkeypatch.setenv(IDENTITY_VARIABLE, SECRET[::-1])
    take(sandbox)
    assert len(first) == 1
    assert len(set(_keys(sandbox)) - set(first)) == 1


def _keys(sandbox: Sandbox) -> list[str]:
    store = sandbox.root / "warehouse/store"
    newest = max(store.glob("commits/0*.json"))
    customers = json.loads(newest.read_text())["identity"]["customers"]
    return pl.read_parquet(store / customers)["customer_key"].to_list()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no_such_table"], "has no table 'no_such_table'. It has: "),
        (["data_trust", "--where", "feeds = 1"], "data_trust: has no column 'feeds'. Did you mean 'feed'?\n"),
        (
            ["data_trust", "--where", "newest_event_at > '2026-01-01'"],
            "cannot be asked that: newest_event_at is no text. Write a date as DATE '2026-10-01'.\n",
        ),
        (["data_trust", "--where", "feed ="], "data_trust: cannot be asked that: "),
        (["data_trust", "--columns", "nope"], "data_trust: has no column 'nope'. Known: "),
        (["data_trust", "--release", "99"], "00000099.json: does not exist."),
    ],
)
def test_show_says_what_it_cannot_show(published: Sandbox, call, words: list[str], said: str):
    shown = call("show", *words, "--folder", published.root)
    assert shown.code == 6
    assert said in shown.err
    assert "Traceback" not in shown.err


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = build_sandbox(tmp_path_factory.mktemp("published") / "workspace")
    sandbox.answers(GOOD)
    sandbox.run()
    return sandbox


def test_show_prints_a_table_in_every_form(published: Sandbox, call):
    words = ["show", "data_trust", published.root, "--columns", "feed", "rows_read"]
    assert json.loads(call(*words, "--json").out) == [{"feed": "survey", "rows_read": 1}]
    assert call(*words, "--csv").out == "feed,rows_read\nsurvey,1\n"
    assert "rows_read" in call(*words).out
    assert "scorecard_owner" in call("show", "--folder", published.root).out


def test_show_begins_with_the_newest_periods(published: Sandbox, call):
    words = ["show", "scorecard_touchpoint", published.root, "--columns", "period_end", "period"]
    days = re.findall(r"\d{4}-\d\d-\d\d", call(*words).out)
    assert len(days) > 2
    assert days == sorted(days, reverse=True)
    wanted = call(*words, "--where", "period_end > DATE '2026-02-27'", "--limit", "3")
    assert wanted.code == 0


def test_show_before_the_first_run_says_to_run(sandbox: Sandbox, call):
    said = call("show", "--folder", sandbox.root)
    assert said.code == 6
    assert "has no release yet. Run 'answerable run' first." in said.err


def test_names_are_printed_as_they_are_whatever_brackets_they_have(sandbox: Sandbox, call, tmp_path: Path):
    before = build_sandbox(tmp_path / "before").root
    name = "Parcel [bold][/foo] :tada:"
    sandbox.replace("answerable.yaml", "Test company", f"'{name}'")
    sandbox.replace("map/map.yaml", "name: Delivery", f"name: '{name}'\n    informed: sales")
    sandbox.replace("map/map.yaml", "name: Cleo", f"name: '{name}'")
    sandbox.answers(GOOD)
    assert call("run", sandbox.root).code == 0
    for words in (["map", "show"], ["ladder"], ["doctor"], ["audit"], ["load"]):
        said = call(*words, sandbox.root)
        assert name in " ".join(said.out.split()), words
    sandbox.replace("map/map.yaml", "accountable: head_of_logistics", "accountable: nobody")
    assert name in " ".join(call("map", "diff", before, sandbox.root).out.split())


def test_doctor_says_what_is_wrong_with_a_workspace(sandbox: Sandbox, call):
    sandbox.answers(GOOD)
    spoil(sandbox)
    said = call("doctor", sandbox.root)
    assert said.code == 1
    assert "3 problems in the workspace's files" in said.out


def test_init_names_the_command_as_it_can_be_typed(tmp_path: Path, call, monkeypatch):
    """By its name where a shell finds it, by its place where none does."""
    program = tmp_path / ".venv/bin/answerable"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert call("init", "shop").out.endswith("\nNow: .venv/bin/answerable run shop\n")
    monkeypatch.setenv("PATH", str(program.parent))
    assert call("init", "other").out.endswith("\nNow: answerable run other\n")


def test_init_makes_a_workspace_that_runs_and_leaves_a_full_folder_alone(tmp_path: Path, call):
    folder = tmp_path / "shop"
    assert call("init", folder).code == 0
    assert call("check", folder).code == 0
    again = call("init", folder)
    assert again.code == 3
    assert again.err == f"{folder}: is not empty. Choose a new folder.\n"


@pytest.mark.parametrize("place", ["file", "file/below", "n" * 300])
def test_init_says_where_it_cannot_make_a_workspace(tmp_path: Path, call, place: str):
    (tmp_path / "file").touch()
    said = call("init", tmp_path / place)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"{tmp_path / place}: cannot be made a workspace: ")
    assert said.err.endswith(". Choose a new folder.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--port", "99999"], "--port: 99999 is no port. Write a number from 0 to 65535."),
        (["serve", "--port=-1"], "--port: -1 is no port."),
        (["up", "--port", "65536"], "--port: 65536 is no port. Write a number from 0 to 65535."),
        (["up", "--serve-port=-1"], "--serve-port: -1 is no port."),
        (["map", "schema", "--out", "nowhere/below/x"], "nowhere/below/x: cannot be written: No such file or directory. Make its"),
        (["map", "schema", "--out", "."], ".: cannot be written: Is a directory."),
        (["contracts", "export", "--to", "pyproject.toml"], "pyproject.toml/tables/published.odcs.yaml: cannot be written: "),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_had_is_told(
    call, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
):
    monkeypatch.chdir(ROOT)
    told = call(*words)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(said)


def test_codeowners_makes_no_folder(sandbox: Sandbox, call):
    rights = "decision_rights: [{what: goals, seats: [head_of_sales, head_of_logistics]}]\nmetrics:\n"
    sandbox.replace("map/map.yaml", "metrics:\n  - {id", rights + "  - {id")
    for name in ("Ada", "Ben", "Cleo"):
        sandbox.replace("map/map.yaml", f"name: {name}}}", f"name: {name}, account: '@{name}'}}")
    place = sandbox.root / "nowhere/CODEOWNERS"
    said = call("map", "codeowners", sandbox.root, "--out", place)
    assert (said.code, said.err) == (
        2,
        f"{place}: cannot be written: No such file or directory. Make its folder, or name another place.\n",
    )
    assert not place.parent.exists()


@pytest.mark.parametrize("limit", ["0", "-1"])
@pytest.mark.parametrize(
    "words",
    [["show", "data_trust"], ["quality"], ["observed"], ["rules", "unmatched"], ["quarantine", "show"]],
)
def test_less_than_one_row_is_no_limit(published: Sandbox, call, words: list[str], limit: str):
    said = call(*words, "--folder", published.root, f"--limit={limit}")
    assert said == Said(2, "", f"--limit: {limit} shows nothing. Write a number from 1 on.\n")


def test_a_limit_beyond_all_rows_shows_them_all(published: Sandbox, call):
    assert "survey" in call("show", "data_trust", published.root, "--limit", 10**20).out


@pytest.mark.parametrize("command", [["show", "data_trust"], ["quality"]])
@pytest.mark.parametrize("number", ["0", "-1"])
def test_releases_are_counted_from_one(published: Sandbox, call, command: list[str], number: str):
    said = call(*command, "--folder", published.root, f"--release={number}")
    assert said == Said(2, "", f"--release: {number} is no release. Write a number from 1 on.\n")


@pytest.mark.parametrize("scale", ["0.01", "0.004", "0", "-1", "nan", "inf"])
def test_the_demo_says_which_scales_there_are(tmp_path: Path, call, scale: str):
    said = call("demo", tmp_path / "demo", f"--scale={scale}", "--inline")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(
        f"--scale: {scale} is no share of its customers in which everything can be found."
    )
    assert not (tmp_path / "demo").exists()


def test_a_reader_that_has_seen_enough_is_no_error(sandbox: Sandbox):
    people = "".join(
        f"  - {{id: t{n}, name: T, stage: enter, accountable: head_of_sales}}\n" for n in range(2_000)
    )
    sandbox.replace("map/map.yaml", "touchpoints:\n", f"touchpoints:\n{people}")
    command = [sys.executable, "-m", "flows", "map", "show", str(sandbox.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as shown:
        assert shown.stdout
        assert shown.stderr
        shown.stdout.readline()
        shown.stdout.close()
        said = shown.stderr.read()
    assert said == b"", "no traceback"
    assert shown.returncode in (1, 141)  # 1 when the table itself is cut off: rich ends so
