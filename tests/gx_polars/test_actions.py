"""The verdict by severity, in a checkpoint of somebody else's."""

import json
from copy import deepcopy
from pathlib import Path

import great_expectations as gx
import great_expectations.expectations as gxe
import polars as pl
import pytest
from great_expectations.checkpoint import Checkpoint
from great_expectations.core.validation_definition import ValidationDefinition

from contracts.gx_polars import CriticalRulesBroken, ExpectRowsToSatisfy, Validation, VerdictBySeverity

FRAME = pl.DataFrame({"id": [1, 2, 2, None], "word": ["ab", "b", None, "ca"]})
MINOR = gxe.ExpectColumnValuesToBeUnique(column="id", severity="info")
WARNING = gxe.ExpectColumnValuesToNotBeNull(column="word", severity="warning", meta={"rule": "word.required"})
CRITICAL = ExpectRowsToSatisfy(expression="id < 2", severity="critical")
IMPOSSIBLE = gxe.ExpectColumnValuesToMatchRegex(column="word", regex="(?=a)", severity="info")


def checkpoint(action: VerdictBySeverity, *expectations) -> Checkpoint:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    data = (
        context.data_sources.add_polars("polars")
        .add_frame("frame")
        .add_batch_definition_whole_dataframe("all")
    )
    suite = context.suites.add(
        gx.ExpectationSuite("tickets", expectations=[deepcopy(one) for one in expectations])
    )
    definition = context.validation_definitions.add(
        ValidationDefinition(name="tickets", data=data, suite=suite)
    )
    context.checkpoints.add(Checkpoint(name="mine", validation_definitions=[definition], actions=[action]))
    return context.checkpoints.get("mine")


def run(action: VerdictBySeverity, *expectations) -> None:
    checkpoint(action, *expectations).run(batch_parameters={"dataframe": FRAME})


def told(path: Path) -> dict[str, tuple[str, str, int | None]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {one["rule"]: (one["severity"], one["state"], one["broken"]) for one in lines}


def test_a_checkpoint_tells_every_rules_end(tmp_path: Path):
    path = tmp_path / "rules.jsonl"
    run(VerdictBySeverity(name="verdict", results_file=str(path)), MINOR, WARNING, CRITICAL, IMPOSSIBLE)
    assert told(path) == {
        "expect_column_values_to_be_unique": ("info", "failed", 2),
        "word.required": ("warning", "failed", 1),
        "expect_rows_to_satisfy": ("critical", "failed", 3),
        "expect_column_values_to_match_regex": ("info", "error", None),
    }


def test_only_what_forbids_the_use_of_the_data_stops(tmp_path: Path):
    stopping = VerdictBySeverity(name="verdict", stops=True, results_file=str(tmp_path / "rules.jsonl"))
    run(stopping, MINOR, WARNING)
    with pytest.raises(
        CriticalRulesBroken, match=r"^1 rules forbid .*tickets: expect_rows_to_satisfy failed"
    ):
        run(stopping, MINOR, CRITICAL)
    with pytest.raises(CriticalRulesBroken, match="expect_column_values_to_match_regex error"):
        run(stopping, IMPOSSIBLE)
    assert len((tmp_path / "rules.jsonl").read_text().splitlines()) == 5, "what stops is told first"


def test_a_checkpoint_with_the_action_can_be_stored_and_read_back():
    action = VerdictBySeverity(name="verdict", stops=True, results_file="rules.jsonl")
    assert checkpoint(action, MINOR).actions == [action]


def test_a_suite_without_names_of_its_own_is_refused():
    written = [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}} for name in "ab"]
    with pytest.raises(ValueError, match=r"'meta\.rule' of their own"):
        Validation({"name": "suite", "expectations": written})
