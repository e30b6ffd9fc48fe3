"""What a contract's rules do to rows and deliveries: set aside, count, hold, wait for what they refer to."""

import pytest

from contracts.deliveries import Delivery
from contracts.errors import WorkspaceError
from tests.conftest import Sandbox
from tests.flows.reading import rejects, take

PROPERTIES = "    properties:\n"
ABOUT = "{name: about, required: true}"
ROW = "{i},{i}@x.de,2026-02-0{d}T10:00:00,web,{about},{score}"


def row(i: str, *, day: int = 1, about: str = "order", score: object = 5) -> str:
    return ROW.format(i=i, d=day, about=about, score=score)


def with_quality(sandbox: Sandbox, *rules: str) -> None:
    sandbox.replace(
        "contracts/survey.odcs.yaml", PROPERTIES, f"    quality: [{', '.join(rules)}]\n{PROPERTIES}"
    )


def with_about(sandbox: Sandbox, about: str) -> None:
    sandbox.replace("contracts/survey.odcs.yaml", ABOUT, about)


def only(sandbox: Sandbox) -> Delivery:
    return take(sandbox).deliveries[0]


def fared(delivery: Delivery) -> dict[str, tuple[int, str]]:
    return {r.name: (r.failed, r.state) for r in delivery.results if r.failed or r.state != "passed"}


LOW = "{id: low, type: sql, query: 'SELECT COUNT(*) FROM ${object} WHERE satisfaction < 3', %s}"


def test_a_warning_is_counted_and_sets_nothing_aside(sandbox: Sandbox):
    with_quality(sandbox, LOW % "mustBe: 0, severity: warning")
    sandbox.answers(row("a", score=1), row("b"))
    found = only(sandbox)
    assert (found.rows_accepted, found.rows_quarantined) == (2, 0)
    assert fared(found) == {"low": (1, "failed")}


@pytest.mark.parametrize(
    ("limit", "accepted", "state"),
    [
        ("mustBe: 0", 3, "failed"),
        ("mustBeLessOrEqualTo: 25, unit: percent", 4, "passed"),
        ("mustBeLessThan: 25, unit: percent", 3, "failed"),
        ("mustBeLessThan: 2", 4, "passed"),
        ("mustBeLessOrEqualTo: 0", 3, "failed"),
    ],
)
def test_a_tolerance_lets_rows_through_until_it_is_exceeded(sandbox: Sandbox, limit, accepted, state):
    """One of four rows, 25 %, breaks the rule."""
    with_quality(sandbox, LOW % limit)
    sandbox.answers(row("a", score=1), row("b"), row("c"), row("d"))
    found = only(sandbox)
    assert found.rows_accepted == accepted
    assert fared(found) == {"low": (1, state)}


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("{id: r, type: library, metric: nullValues, mustBe: 0}", ["c"]),
        (
            "{id: r, type: library, metric: invalidValues, arguments: {validValues: [order]}, mustBe: 0}",
            ["b"],
        ),
        ("{id: r, type: library, metric: invalidValues, arguments: {pattern: '^o'}, mustBe: 0}", ["b"]),
        ("{id: r, type: library, metric: duplicateValues, mustBe: 0}", ["d"]),
    ],
)
def test_a_rule_over_a_columns_values(sandbox: Sandbox, rule: str, broken: list[str]):
    with_about(sandbox, f"{{name: about, quality: [{rule}]}}")
    sandbox.answers(row("a"), row("b", about="delivery"), row("c", about=""), row("d"))
    found = only(sandbox)
    lines = [["a", "b", "c", "d"][line - 2] for line in rejects(sandbox.root, found)["line"]]
    assert lines == broken


def test_columns_together_repeat_nothing(sandbox: Sandbox):
    arguments = "arguments: {properties: [about, satisfaction]}"
    with_quality(sandbox, f"{{id: pair, type: library, metric: duplicateValues, {arguments}, mustBe: 0}}")
    sandbox.answers(row("a"), row("b", score=4), row("c"))
    assert fared(only(sandbox)) == {"pair": (1, "failed")}


def test_an_empty_delivery_is_held_and_the_last_good_one_stays(sandbox: Sandbox):
    sandbox.answers(row("a"))
    take(sandbox)
    sandbox.answers()
    found = take(sandbox)
    assert [d.rows_accepted for d in found.deliveries if d.state == "accepted"] == [1]
    assert "has 0 rows, and rule 'row_count' says mustBeGreaterThan 0." in str(found.held[0].reason)
    assert found.absorbed.state.rows == 1


def test_a_feed_may_say_that_it_can_be_empty(sandbox: Sandbox):
    with_quality(sandbox, "{id: rows, type: library, metric: rowCount, mustBeGreaterOrEqualTo: 0}")
    sandbox.answers()
    assert only(sandbox).state == "accepted"


def test_a_delivery_of_an_impossible_size_is_held_or_counted(sandbox: Sandbox):
    with_quality(sandbox, "{id: rows, type: library, metric: rowCount, mustBeBetween: [2, 3]}")
    sandbox.answers(row("a"))
    assert only(sandbox).state == "held"
    sandbox.replace("contracts/survey.odcs.yaml", "[2, 3]", "[2, 3], severity: warning")
    found = only(sandbox)
    assert (found.state, fared(found)) == ("accepted", {"rows": (1, "failed")})


def test_a_poison_row_is_set_aside_and_its_neighbours_flow(sandbox: Sandbox):
    """CAST fails on one text: the rule is in error there, and says nothing of the others."""
    query = "SELECT COUNT(*) FROM ${object} WHERE CAST(about AS INTEGER) > 5"
    with_quality(sandbox, f"{{id: small, type: sql, query: '{query}', mustBe: 0}}")
    sandbox.answers(row("a", about="1"), row("b", about="poison"), row("c", about="9"), row("d", about="2"))
    found = only(sandbox)
    assert (found.rows_read, found.rows_accepted, found.rows_quarantined) == (4, 2, 2)
    assert fared(found) == {"small": (2, "error")}
    assert rejects(sandbox.root, found)["line"].to_list() == [3, 4]


def test_a_rule_that_can_be_computed_on_no_row_holds_the_delivery(sandbox: Sandbox):
    query = "SELECT COUNT(*) FROM ${object} WHERE CAST(about AS INTEGER) > 5"
    with_quality(sandbox, f"{{id: small, type: sql, query: '{query}', mustBe: 0}}", LOW % "mustBe: 0")
    sandbox.answers(row("a"), row("b"), row("c", score=1))
    found = only(sandbox)
    assert found.state == "held"
    assert fared(found) == {"small": (3, "error"), "low": (1, "failed")}


@pytest.mark.parametrize(
    "rule",
    [
        "{name: about, logicalTypeOptions: {pattern: '(?=x)y'}}",
        "{name: about, quality: [{id: r, type: library, metric: invalidValues, arguments: {pattern: '(?<!x)y'}, mustBe: 0}]}",
    ],
)
def test_a_look_around_is_refused_before_anything_runs(sandbox: Sandbox, rule: str):
    with_about(sandbox, rule)
    with pytest.raises(WorkspaceError, match="Do without look-around and backreferences"):
        sandbox.load()


def test_a_look_around_in_sql_is_refused_too(sandbox: Sandbox):
    query = 'SELECT COUNT(*) FROM ${object} WHERE REGEXP_LIKE(about, "(?=x)y")'.replace('"', "''")
    with_quality(sandbox, f"{{id: small, type: sql, query: '{query}', mustBe: 0}}")
    with pytest.raises(WorkspaceError, match="look-around"):
        sandbox.load()


REFERENCES = "customProperties: [{property: references, value: {moments: references/moments.csv}}]\nschema:"


def test_a_value_outside_its_reference_is_set_aside_and_comes_back_with_it(sandbox: Sandbox):
    sandbox.replace("contracts/survey.odcs.yaml", "schema:", REFERENCES)
    with_about(sandbox, "{name: about, relationships: [{to: moments.id}]}")
    sandbox.write("references/moments.csv", "id\norder\n")
    sandbox.answers(row("a"), row("b", about="delivery"), row("c", about=""))
    first = take(sandbox)
    assert fared(first.deliveries[0]) == {"about.reference": (1, "failed")}
    assert take(sandbox).read == ()
    sandbox.write("references/moments.csv", "id\norder\ndelivery\n")
    later = take(sandbox)
    assert (later.deliveries[0].rows_accepted, later.absorbed.state.rows) == (3, 3)


def test_a_row_may_refer_to_another_stream_whichever_stands_first(sandbox: Sandbox):
    """People are compared by their tokens."""
    sandbox.replace(
        "contracts/survey.odcs.yaml",
        "{name: email, classification: personal,",
        "{name: email, relationships: [{to: people.email}], classification: personal,",
    )
    sandbox.write(
        "contracts/people.odcs.yaml",
        "apiVersion: v3.2.0\nkind: DataContract\nid: people\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: people\n    properties:\n      - {name: email, required: true, classification: personal, "
        "customProperties: [{property: identity, value: email}]}\n",
    )
    stream = "  - {name: people, files: inbox/people*.csv, format: csv, settle_seconds: 0, contract: contracts/people.odcs.yaml}\n"
    sandbox.write("feeds/survey.yaml", (sandbox.root / "feeds/survey.yaml").read_text() + stream)
    sandbox.answers(row("a"), row("b"))
    sandbox.write("inbox/people.csv", "email\nA@x.de\n")
    found = next(d for d in take(sandbox).deliveries if d.stream == "answers")
    assert fared(found) == {"email.reference": (1, "failed")}
    assert rejects(sandbox.root, found)["line"].to_list() == [3]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("{name: about, relationships: [{to: nowhere.id}]}", "there is no stream 'survey.nowhere'."),
        ("{name: about, relationships: [{to: answers.id}]}", "survey.answers has no column 'id'."),
        ("{name: about, relationships: [{to: answers.email}]}", "Give both the same identity"),
        ("{name: about, relationships: [{to: answers.channel}]}", "relationships go round in a ring"),
        ("{name: about, quality: [{id: about.type, type: library, metric: nullValues, mustBe: 0}]}", "has the name of another rule."),
        ("{name: about, quality: [{id: r, type: library, metric: nullValues, mustBe: 0, customProperties: [{property: owner, value: nobody}]}]}", "owner 'nobody' is no seat of the map."),
    ],
)  # fmt: skip
def test_what_a_contract_points_to_has_to_be_there(sandbox: Sandbox, about: str, said: str):
    with_about(sandbox, about)
    with pytest.raises(WorkspaceError, match=said):
        sandbox.load()


def test_two_missing_values_are_no_repetition(sandbox: Sandbox):
    with_about(sandbox, "{name: about, unique: true}")
    sandbox.replace("feeds/survey.yaml", "format: csv", "format: csv\n    nulls: [none]")
    sandbox.answers(
        *(
            row(i, about=about)
            for i, about in zip("abcde", ["none", "none", "", "order", "order"], strict=True)
        )
    )
    found = only(sandbox)
    assert fared(found) == {"about.unique": (1, "failed")}
    assert rejects(sandbox.root, found)["line"].to_list() == [6]


def test_a_poison_row_comes_back_once_its_rule_is_mended(sandbox: Sandbox):
    query = "SELECT COUNT(*) FROM ${object} WHERE CAST(about AS INTEGER) > 5"
    with_quality(sandbox, f"{{id: small, type: sql, query: '{query}', mustBe: 0}}")
    sandbox.answers(row("a", about="1"), row("b", about="poison"), row("c", about="9"), row("d", about="2"))
    assert only(sandbox).rows_quarantined == 2
    sandbox.replace("contracts/survey.odcs.yaml", "CAST(", "TRY_CAST(")
    found = take(sandbox)
    mended = found.deliveries[0]
    assert (mended.rows_read, mended.rows_accepted, mended.rows_quarantined) == (4, 3, 1)
    assert (mended.event_count, found.absorbed.state.rows) == (3, 3)
    assert fared(mended) == {"small": (1, "failed")}


def test_a_feed_without_its_name_is_told_although_its_streams_refer_to_each_other(sandbox: Sandbox):
    with_about(sandbox, "{name: about, relationships: [{to: answers.answer_id}]}")
    sandbox.replace("feeds/survey.yaml", "feed: survey\n", "")
    with pytest.raises(WorkspaceError, match=r"'feed' is missing\. Add 'feed'\."):
        sandbox.load()
