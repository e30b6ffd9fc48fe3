"""What changed in a contract, whom it breaks, which version it asks for."""

import json

import pytest

from contracts.contract_diff import bump_of, changes, is_enough, needed, raised
from flows.locks import plain
from tests.conftest import CONTRACT
from tests.contracts.test_odcs import bound

SATISFACTION = "{name: satisfaction, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 5}}"
CHANNEL = "{name: channel, enum: [{value: email}, {value: web}]}"
SCHEMA = "  - name: answers\n"


def quality(**rule: object) -> str:
    whole = {"id": "r", "type": "sql", "query": "SELECT COUNT(*) FROM ${object} WHERE about IS NULL", **rule}
    return f"{SCHEMA}    quality: [{json.dumps(whole)}]\n"


def found(*swaps: tuple[str, str]) -> list[tuple[str, str, str]]:
    text = CONTRACT
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    return [(c.path, c.effect, c.bump("input")) for c in changes(plain(bound()), plain(bound(text)))]


SEEDED = [
    (f"      - {SATISFACTION}\n", "", "answers.satisfaction", "breaks"),
    ("logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 5}", "logicalType: string",
     "answers.satisfaction.logicalType", "breaks"),
    ("{name: channel,", "{name: channel, required: true,", "answers.channel.required", "tightens"),
    ("{value: email}, {value: web}", "{value: email}", "answers.channel.enum", "tightens"),
    ("maximum: 5", "maximum: 4", "answers.satisfaction.maximum", "tightens"),
]  # fmt: skip
"""Five changes that break: a column gone, another type, a column asked for, a word gone, a narrower limit."""


@pytest.mark.parametrize(("old", "new", "path", "effect"), SEEDED, ids=[path for _, _, path, _ in SEEDED])
def test_the_five_seeded_breaking_changes_are_found(old: str, new: str, path: str, effect: str):
    assert (path, effect, "major") in found((old, new))


@pytest.mark.parametrize(
    ("old", "new", "path", "effect"),
    [
        ("maximum: 5", "maximum: 6", "answers.satisfaction.maximum", "loosens"),
        ("minimum: 1", "minimum: 0", "answers.satisfaction.minimum", "loosens"),
        ("minimum: 1", "minimum: 2", "answers.satisfaction.minimum", "tightens"),
        ("{value: web}", "{value: web}, {value: fax}", "answers.channel.enum", "loosens"),
        (CHANNEL, "{name: channel}", "answers.channel.enum", "loosens"),
        ("{name: about, required: true}", "{name: about}", "answers.about.required", "loosens"),
        ("value: 0.5", "value: 0.4", "answers.maxQuarantineRate", "tightens"),
        ("value: 40", "value: 30", "freshness", "tightens"),
        ("value: 40", "value: 50", "freshness", "loosens"),
        ("{name: about,", "{name: topic}\n      - {name: about,", "answers.topic", "tightens"),
        ("{name: about,", "{name: about, physicalName: subject,", "answers.about.physicalName", "breaks"),
        (
            "{name: about,",
            "{name: about, description: What it is about,",
            "answers.about.description",
            "says",
        ),
        (
            "{name: about,",
            "{name: about, relationships: [{to: a.b}],",
            "answers.about.relationships",
            "tightens",
        ),
        (SCHEMA, quality(mustBe=0), "answers.r", "tightens"),
        (SCHEMA, quality(mustBe=0, severity="warning"), "answers.r", "says"),
    ],
)
def test_every_other_change_is_told_apart(old: str, new: str, path: str, effect: str):
    bump = {"tightens": "major", "breaks": "major", "loosens": "minor", "says": "patch"}[effect]
    assert found((old, new)) == [(path, effect, bump)]


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ({"mustBeLessThan": 5}, {"mustBeLessThan": 6}, "loosens"),
        ({"mustBeLessThan": 5}, {"mustBeLessThan": 4}, "tightens"),
        ({"mustBe": 0}, {"mustBeLessThan": 4}, "loosens"),
        ({"mustBeLessThan": 4}, {"mustBe": 0}, "tightens"),
        ({"mustBe": 0}, {"mustBe": 0, "severity": "warning"}, "loosens"),
        ({"mustBe": 0, "severity": "warning"}, {"mustBe": 0}, "tightens"),
    ],
)
def test_a_rule_that_asks_for_more_tightens(before: dict, after: dict, effect: str):
    old, new = (plain(bound(CONTRACT.replace(SCHEMA, quality(**rule)))) for rule in (before, after))
    assert [change.effect for change in changes(old, new)] == [effect]


def test_nothing_changed_needs_nothing():
    assert found() == []
    assert needed([], "input") == "none"


def test_who_reads_is_broken_by_less_and_who_delivers_by_more():
    looser, tighter = (
        changes(plain(bound()), plain(bound(CONTRACT.replace("maximum: 5", f"maximum: {limit}"))))
        for limit in (6, 4)
    )
    assert (needed(looser, "input"), needed(looser, "output")) == ("minor", "major")
    assert (needed(tighter, "input"), needed(tighter, "output")) == ("major", "minor")


@pytest.mark.parametrize(
    ("before", "after", "bump"),
    [
        ("1.2.3", "2.0.0", "major"), ("1.2.3", "1.3.0", "minor"), ("1.2.3", "1.2.4", "patch"),
        ("1.2.3", "1.2.3", "none"), ("1.2.3", "1.1.9", None), ("one", "two", None),
    ],
)  # fmt: skip
def test_how_far_a_version_was_raised(before: str, after: str, bump: str | None):
    assert bump_of(before, after) == bump


def test_a_version_is_enough_when_it_says_at_least_as_much():
    assert is_enough("1.2.3", "2.0.0", "minor")
    assert not is_enough("1.2.3", "1.2.4", "minor")
    assert not is_enough("1.2.3", "1.0.0", "none")
    assert [raised("1.2.3", bump) for bump in ("major", "minor", "patch")] == ["2.0.0", "1.3.0", "1.2.4"]
