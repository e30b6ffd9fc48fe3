"""A contract says only what is enforced: what we do not keep is refused by name."""

import json
from typing import Any

import pytest

from contracts.documents import bind, parse
from contracts.odcs import DataContract
from tests.conftest import CONTRACT


def bound(text: str = CONTRACT) -> DataContract:
    contract, problems = bind(parse(text, "c.yaml"), DataContract)
    assert not problems
    assert contract is not None
    return contract


def refused(old: str, new: str) -> str:
    assert old in CONTRACT
    _, problems = bind(parse(CONTRACT.replace(old, new), "c.yaml"), DataContract)
    return "\n".join(map(str, problems))


SLA = "[{property: freshness, value: 40, unit: d}]"
STATUS = "status: active\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # parts of the standard that we do not keep
        (STATUS, f"{STATUS}servers: []\n", "unknown key 'servers'."),
        (STATUS, f"{STATUS}price: {{}}\n", "unknown key 'price'."),
        (STATUS, f"{STATUS}roles: []\n", "unknown key 'roles'."),
        ("kind: DataContract", "kind: DataProduct", "'kind' is 'DataProduct'. Did you mean 'DataContract'?"),
        (SLA, "[{property: retention, value: 3, unit: d}]", "'property' is 'retention'. Known: freshness."),
        (SLA, "[{property: freshness, value: 3, unit: y}]", "'unit' is 'y'. Known: d, h."),
        ("required: true}\n      - {name: satisfaction", "partitioned: true}\n      - {name: satisfaction", "unknown key 'partitioned'."),
        ("logicalType: integer", "logicalType: object", "'logicalType' is 'object'."),
        ("logicalType: integer", "logicalType: time", "'logicalType' is 'time'. Did you mean 'timestamp'?"),
        ("minimum: 1, maximum: 5", "exclusiveMinimum: 1", "unknown key 'exclusiveMinimum'."),
        ("  - name: answers\n", "  - name: answers\n    quality: [{id: a, type: text, description: b}]\n", "'type' is 'text'. Known: library, sql."),
        # parts that would be read and never enforced
        ("logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 5}", "logicalTypeOptions: {minimum: 1}", "'minimum' is for integer or number"),
        ("{minimum: 1, maximum: 5}", "{maxLength: 5}", "'maxLength' is for string, and 'satisfaction' is integer."),
        ("{minimum: 1, maximum: 5}", "{format: 'yyyy'}", "'format' is for date or timestamp"),
        ("{minimum: 1, maximum: 5}", "{timezone: true}", "'timezone' is for timestamp"),
        ("{property: identity, value: email}", "{property: formats, value: [d]}", "'formats' is for date or timestamp"),
        ("{property: identity, value: email}", "{property: maxQuarantineRate, value: 0.5}", "means nothing here. Known here: identity, formats."),
        ("{property: maxQuarantineRate, value: 0.5}", "{property: identity, value: email}", "means nothing here. Known here: maxQuarantineRate, volumeBaseline."),
        ("[{property: identity, value: email}]", "[{property: identity, value: email}, {property: identity, value: phone}]", "'identity' stands twice."),
        # values that mean nothing
        ("value: email}]", "value: 'email:crm'}]", "identity is 'email:crm'."),
        ("value: email}]", "value: 'external_id:'}]", "identity is 'external_id:'."),
        ("value: email}]", "value: [email]}]", "identity is ('email',)."),
        ("value: 0.5", "value: true", "'value' is True. Write a text, a number or a list."),
        ("value: 0.5", "value: '0.5'", "Write maxQuarantineRate as a share from 0 to 1."),
        ("version: 1.0.0", "version: 1.0.0\nname: 5", "'name' is 5. It has to be a text: put it in quotes."),
        ("{value: email}, {value: web}", "{value: 1}", "'value' is 1. It has to be a text: put it in quotes."),
        ("name: about,", "name: About,", "'name' is 'About'. Use lower-case letters"),
        ("name: about,", "name: token_email,", "'token_email' is the name of a column of ours."),
    ],
)  # fmt: skip
def test_what_is_not_kept_is_refused_by_name(old: str, new: str, said: str):
    assert said in refused(old, new)


def test_the_strictest_freshness_counts():
    text = CONTRACT.replace(
        SLA, "[{property: freshness, value: 2, unit: d}, {property: freshness, value: 30, unit: h}]"
    )
    assert bound(text).freshness_hours == 30
    assert bound(CONTRACT.replace(f"slaProperties: {SLA}\n", "")).freshness_hours is None


@pytest.mark.parametrize(
    ("query", "broken"),
    [
        ("SELECT COUNT(*) FROM ${object} WHERE a > 1", "a > 1"),
        ("select count(*) from {object} where a\nIS NULL", "a\nIS NULL"),
    ],
)
def test_a_rule_is_what_a_broken_row_looks_like(query: str, broken: str):
    rule: dict[str, Any] = {"id": "r", "type": "sql", "query": query, "mustBe": 0}
    schema = f"  - name: answers\n    quality: [{json.dumps(rule)}]\n"
    found = bound(CONTRACT.replace("  - name: answers\n", schema))
    assert found.schema_[0].quality[0].broken.split() == broken.split()


def test_keys_stand_in_their_declared_position():
    text = CONTRACT.replace("primaryKey: true", "primaryKey: true, primaryKeyPosition: 2").replace(
        "{name: about,", "{name: about, primaryKey: true, primaryKeyPosition: 1,"
    )
    assert bound(text).schema_[0].key == ["about", "answer_id"]
