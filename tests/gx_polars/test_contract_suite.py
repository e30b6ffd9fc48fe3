"""A contract's suite says of a delivery what landing's own masks say: the same rows, counts and verdicts.

`ANSWERABLE_SUITE_CONTRACTS` says how many contracts are drawn, `ANSWERABLE_PARITY_SEED` from where.
"""

import json
import os
import secrets
import sys

import pytest

from contracts.contract_suite import row_expectations
from contracts.odcs import SchemaObject
from flows.validation import GreatExpectations, Validated
from tests.gx_polars.contracts_drawn import drawn
from transforms.judge import FORMER, judge, row_rules
from transforms.spelled import DELIVERED

CONTRACTS = int(os.environ.get("ANSWERABLE_SUITE_CONTRACTS", "32"))
SEED = os.environ.get("ANSWERABLE_PARITY_SEED", "20261128")
PARTS = 4


@pytest.fixture(scope="module")
def first() -> int:
    if SEED != "random":
        return int(SEED)
    seed = secrets.randbelow(2**31)
    sys.stdout.write(f"\nANSWERABLE_PARITY_SEED={seed}\n")
    return seed


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_suite_finds_the_rows_counts_and_states_that_landing_finds(part: int, first: int):
    for seed in range(first + part, first + CONTRACTS, PARTS):
        case = drawn(seed)
        rules = row_rules(case.shape, case.stream, case.references, landed=FORMER in case.rows.columns)
        by_gx = GreatExpectations(case.shape, case.stream, case.references, Validated("f", "s"))
        ours = judge(case.rows, rules, case.shape)
        theirs = judge(case.rows, rules, case.shape, by_gx.find)
        assert theirs.results == ours.results, seed
        assert theirs.rows["reasons"].to_list() == ours.rows["reasons"].to_list(), seed


def test_drawn_contracts_meet_every_kind_of_rule_and_every_end():
    states, kinds = set[str](), set[str]()
    for seed in range(20261128, 20261128 + 60):
        case = drawn(seed)
        rules = row_rules(case.shape, case.stream, case.references, landed=FORMER in case.rows.columns)
        states |= {result.state for result in judge(case.rows, rules, case.shape).results}
        kinds |= {one.type for one in row_expectations(case.shape, DELIVERED)}
    assert states == {"passed", "failed", "error"}
    assert kinds == {
        "expect_column_value_lengths_to_be_between",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_in_reference",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_not_be_null",
        "expect_rows_to_repeat_nothing",
        "expect_rows_to_satisfy",
    }


def _number_of_rows(limit: str) -> SchemaObject:
    rule = {"id": "rows", "type": "library", "metric": "rowCount", **json.loads(limit)}
    return SchemaObject.model_validate({"name": "rows", "properties": [{"name": "c"}], "quality": [rule]})


@pytest.mark.parametrize(
    "limit",
    [
        '{"mustBe": 0}',
        '{"mustBe": 2}',
        '{"mustBeGreaterThan": 2.5}',
        '{"mustBeGreaterThan": 2}',
        '{"mustBeGreaterOrEqualTo": 2.5}',
        '{"mustBeLessThan": 2.5, "severity": "warning"}',
        '{"mustBeLessThan": 2}',
        '{"mustBeLessOrEqualTo": 2.5}',
        '{"mustBeBetween": [0.5, 2.5]}',
    ],
)
def test_rules_over_the_number_of_rows_say_the_same(limit: str):
    shape = _number_of_rows(limit)
    by_gx = GreatExpectations(shape, drawn(1).stream, {}, Validated("f", "s"))
    for rows in range(5):
        (result,) = by_gx.volume(rows)
        assert (result.state == "passed") == shape.volume[0].keeps(rows, rows), rows
        assert (result.name, result.severity, result.checked) == ("rows", shape.volume[0].severity, rows)
        assert result.failed == (0 if result.state == "passed" else rows)
