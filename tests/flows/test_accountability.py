"""Rules, audit and ladder as a user meets them on the command line."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.conftest import Sandbox, build_sandbox

RULE = "  - {id: orders, touchpoint: order, where: {about: order}}\n"
WITH_EXAMPLES = """  - id: orders
    touchpoint: order
    where: {about: order}
    examples:
      - event: {feed: survey, kind: survey.answered, about: order}
      - {event: {about: delivery}, expect: delivery}
      - event: {about: refund}
        expect: unmatched
"""


def with_examples(sandbox: Sandbox, text: str = WITH_EXAMPLES) -> Sandbox:
    sandbox.replace("map/map.yaml", RULE, text)
    return sandbox


def test_rules_are_tested_without_any_data(sandbox: Sandbox, call):
    said = call("rules", "test", with_examples(sandbox).root)
    assert said.code == 0
    assert said.out == "3 of 3 examples come where they should; 1 of 2 rules have none.\n"
    assert not (sandbox.root / "warehouse").exists()


def test_an_example_that_comes_elsewhere_fails_with_its_line(sandbox: Sandbox, call):
    with_examples(
        sandbox,
        WITH_EXAMPLES.replace("expect: unmatched", "expect: order").replace(
            "expect: delivery}", "expect: order}"
        ),
    )
    lines = (sandbox.root / "map/map.yaml").read_text().splitlines()
    first, second = (
        1 + next(i for i, line in enumerate(lines) if word in line) for word in ("delivery}, exp", "refund")
    )
    said = call("rules", "test", sandbox.root)
    assert said.code == 3
    assert said.out.startswith("1 of 3 examples")
    remedy = "Mend rule 'orders', its place, or the example."
    taken = "this example should come to 'order', but rule 'deliveries' takes it to 'delivery'."
    lost = "this example should come to 'order', but no rule matches it."
    assert said.err.splitlines() == [
        f"map/map.yaml:{first}: {taken} {remedy}",
        f"map/map.yaml:{second}: {lost} {remedy}",
    ]
    told = json.loads(call("rules", "test", sandbox.root, "--json").out)
    assert [one["is_kept"] for one in told] == [True, False, False]
    assert told[1]["where"] == f"map/map.yaml:{first}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "about: order}\n      - {",
            "abot: order}\n      - {",
            "an example of rule 'orders': no column 'abot'. Did you mean 'about'?",
        ),
        (
            "expect: delivery}",
            "expect: deliver}",
            "touchpoint 'deliver' is not in the map. Did you mean 'delivery'?",
        ),
        ("feed: survey,", "feed: surveys,", "feed 'surveys' does not exist. Did you mean 'survey'?"),
        (
            "{about: refund}",
            "{score: high}",
            "an example of rule 'orders': 'score' is a number, but 'high' is none.",
        ),
    ],
)
def test_an_example_that_names_what_is_not_there_is_refused(
    sandbox: Sandbox, call, old: str, new: str, said: str
):
    with_examples(sandbox, WITH_EXAMPLES.replace(old, new))
    checked = call("check", sandbox.root)
    assert checked.code == 3
    assert said in checked.err
    assert checked.err.startswith("map/map.yaml:")


ODD = 'survey: "odd" # kind\'s {name}'


def answer(sandbox: Sandbox) -> Sandbox:
    """Answers about things that no rule knows, of kinds with names that YAML would trip over."""
    sandbox.replace(
        "feeds/survey.yaml",
        "\"'survey.answered'\"",
        "\"CASE about WHEN 'refund' THEN 'survey: \\\"odd\\\" # kind''s {name}' ELSE 'survey.answered' END\"",
    )
    many = [f"{n},p{n}@x.example,2026-02-20 09:00:00,web,gift,5" for n in range(3)]
    odd = [f"{n},p{n}@x.example,2026-02-20 09:00:00,email,refund,5" for n in range(10, 12)]
    sandbox.answers(*many, *odd, "20,p1@x.example,2026-02-20 09:00:00,web,order,4")
    sandbox.run()
    return sandbox


@pytest.fixture(scope="module")
def answered_once(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return answer(build_sandbox(tmp_path_factory.mktemp("answered") / "workspace"))


@pytest.fixture
def answered(answered_once: Sandbox, tmp_path: Path) -> Sandbox:
    """A workspace with those answers."""
    return answered_once.copied(tmp_path / "workspace")


def test_what_nothing_matched_is_yaml_that_the_map_accepts_when_it_is_pasted(answered: Sandbox, call):
    said = call("rules", "unmatched", answered.root)
    assert said.code == 0
    assert "5 of 6 events of the last 28 days match no rule: 83.33%" in said.err
    pasted = yaml.safe_load(said.out)
    assert [rule["kind"] for rule in pasted["rules"]] == ["survey.answered", ODD], "most customers first"
    answered.write("map/unmatched.yaml", said.out)
    assert call("check", answered.root).code == 0
    assert call("rules", "test", answered.root).out.startswith("2 of 2 examples")
    answered.run()
    assert answered.table("fact_event_unmatched").is_empty()
    unowned = answered.table("gap_finding").filter(pl.col("rule") == "unowned_touchpoint")
    assert sorted(unowned["object_id"]) == sorted(one["id"] for one in pasted["touchpoints"])
    again = call("rules", "unmatched", answered.root)
    assert (again.code, again.out) == (0, "")


def test_unmatched_events_can_be_led_to_a_touchpoint_that_is_there(answered: Sandbox, call):
    said = call("rules", "unmatched", answered.root, "--touchpoint", "order", "--limit", "1")
    assert yaml.safe_load(said.out).keys() == {"rules"}
    answered.write("map/unmatched.yaml", said.out)
    assert call("check", answered.root).code == 0
    wrong = call("rules", "unmatched", answered.root, "--touchpoint", "orders")
    assert (wrong.code, wrong.err) == (3, "--touchpoint: 'orders' is not in the map. Did you mean 'order'?\n")


def test_rules_show_tells_the_dead_and_the_shadowed(sandbox: Sandbox, call):
    extra = "  - {id: never, touchpoint: order, where: {about: nothing}}\n  - {id: late, touchpoint: order, where: {about: order}}\n"
    sandbox.replace("map/map.yaml", "metrics:\n  - {id: csat,", f"{extra}metrics:\n  - {{id: csat,")
    answer(sandbox)
    said = call("rules", "show", sandbox.root).out
    assert "dead: never matched" in said
    assert "shadowed by orders" in said
    told = {one["rule_id"]: one for one in json.loads(call("rules", "show", sandbox.root, "--json").out)}
    assert (told["orders"]["event_28d_count"], told["never"]["event_count"]) == (1, 0)


def test_the_audit_fails_on_the_severity_that_was_asked_for(answered: Sandbox, call):
    said = call("audit", answered.root)
    assert said.code == 0, "nothing critical is open"
    assert "No rule matches" in said.out
    assert " ".join(said.out.split()).endswith("83 not matched, 17 without a measure to trust.")
    failing = call("audit", answered.root, "--fail-on", "warning")
    assert failing.code == 9
    assert "open findings of severity 'warning' or worse." in failing.err
    assert call("audit", answered.root, "--fail-on", "never").code == 0
    told = json.loads(call("audit", answered.root, "--json").out)
    assert [one["place"] for one in told["findings"]] == sorted(one["place"] for one in told["findings"])
    assert sum(one["percent"] for one in told["waterfall"] if one["scope_type"] == "company") == 100


def test_a_waiver_leaves_a_finding_out_of_the_audit_but_in_the_table(sandbox: Sandbox, call):
    sandbox.replace(
        "map/map.yaml",
        "{id: cleo, name: Cleo}",
        "{id: cleo, name: Cleo}, {id: dan, name: The team}",
    )
    sandbox.replace("map/map.yaml", "holders: [{person: ada}]", "holders: [{person: dan}]")
    waiver = "waivers: [{rule: diffuse_accountable, object: order, approver: ben, reason: until we hire, until: 2026-06-01}]\n"
    answer(sandbox)
    assert call("audit", sandbox.root).code == 9
    sandbox.replace("map/map.yaml", "rules:\n", f"{waiver}rules:\n")
    assert "The map has changed since this release" in call("audit", sandbox.root).out
    sandbox.run()
    said = call("audit", sandbox.root)
    assert said.code == 0
    assert "is no single person" not in said.out
    assert "Waived until 2026-06-01 (ben: until we hire)" in " ".join(
        call("audit", sandbox.root, "--waived").out.split()
    )
    assert sandbox.table("gap_finding").filter(pl.col("state") == "waived").height == 1


def test_the_audit_lists_its_rules_without_a_workspace(tmp_path: Path, call):
    told = json.loads(call("audit", tmp_path, "--rules", "--json").out)
    assert len(told) >= 20
    assert {"rule": "unowned_touchpoint", "severity": "critical"}.items() <= told[
        [one["rule"] for one in told].index("unowned_touchpoint")
    ].items()
    assert "unowned_touchpoint" in call("audit", tmp_path, "--rules").out


def test_the_ladder_drills_down_to_touchpoints_and_run_and_show_end_with_its_sentence(
    answered: Sandbox, call
):
    said = call("ladder", answered.root, "--gap", "metric").out
    assert "csat: 1 of the 30 observations" in " ".join(said.split())
    assert "Delivery" in said
    told = json.loads(call("ladder", answered.root, "--stage", "enter", "--json").out)
    assert [one["touchpoint_id"] for one in told["touchpoints"]] == ["order"]
    assert sum(one["percent"] for one in told["waterfall"]) == 100
    assert call("ladder", answered.root, "--stage", "entered").code == 3
    sentence = told["sentence"]
    assert sentence in " ".join(call("run", answered.root).out.split())
    assert call("show", "--folder", answered.root).out.splitlines()[-1] == sentence


def test_load_says_what_people_carry_and_observed_says_when_there_is_nothing(answered: Sandbox, call):
    said = call("load", answered.root).out
    assert "Ada" in said
    assert "What people carry" in said
    told = {
        one["owner_id"]: one["touchpoint_count"]
        for one in json.loads(call("load", answered.root, "--json").out)
    }
    assert told == {"ada": 1, "cleo": 1}
    assert call("observed", answered.root).out.startswith("No case was resolved in the last 91 days")
    assert json.loads(call("observed", answered.root, "--json").out) == []


@pytest.mark.parametrize(
    "words", [["audit"], ["ladder"], ["load"], ["observed"], ["rules", "show"], ["rules", "unmatched"]]
)
def test_what_reads_a_release_says_to_run_first(sandbox: Sandbox, call, words: list[str]):
    said = call(*words, sandbox.root)
    assert said.code == 6
    assert "has no release yet. Run 'answerable run' first." in said.err


def test_a_rate_of_which_no_touchpoint_has_both_sides_is_a_gap(sandbox: Sandbox):
    """Counted at orders, against deliveries: 0 at the one, nothing at the other, until both are counted at one."""
    rate = "{id: r, name: R, estimator: rate, where: {about: order}, exposure: {about: delivery}}"
    sandbox.replace("map/map.yaml", "\nmetrics:\n", f"\nmetrics:\n  - {rate}\n")
    sandbox.answers(
        "a,a@x.de,2026-02-01T10:00:00,web,order,5",
        "b,b@x.de,2026-02-01T10:00:00,web,delivery,5",
    )
    sandbox.run()
    gap = sandbox.table("gap_finding").filter(pl.col("rule") == "rate_apart")
    assert gap.select("severity", "object_id", "sentence").rows() == [
        (
            "warning",
            "r",
            (
                "Metric 'r' tells nothing: what it counts (1 so far) and what that is counted against match different "
                "touchpoints."
            ),
        )
    ]
    sandbox.replace(
        "map/map.yaml", "exposure: {about: delivery}}", "exposure: {about: delivery}, touchpoint: order}"
    )
    sandbox.run()
    assert sandbox.table("gap_finding").filter(pl.col("rule") == "rate_apart").is_empty()
