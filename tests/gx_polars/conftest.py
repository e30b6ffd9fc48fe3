"""One context for the tests of the engine."""

from collections.abc import Callable
from typing import Any

import great_expectations as gx
import polars as pl
import pytest

from contracts.gx_polars import Subject
from tests.gx_polars.parity import key_of

Validate = Callable[..., list[Any]]


def batch_definition() -> Any:
    """A batch definition of polars frames in a context of its own."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    context.enable_analytics(False)
    asset = context.data_sources.add_polars("polars").add_frame("frame")
    return asset.add_batch_definition_whole_dataframe("all")


@pytest.fixture
def validate() -> Validate:
    """Validate expectations against a frame; results in the order they were given."""
    definition = batch_definition()

    def run(frame: pl.DataFrame | pl.LazyFrame | Subject, *expectations: Any, **wanted: Any) -> list[Any]:
        suite = gx.ExpectationSuite("suite", expectations=list(expectations))
        wanted = {"result_format": "COMPLETE"} | wanted
        batch = definition.get_batch({"dataframe": frame})
        results = batch.validate(suite, result_format=wanted).results
        by_rule = {key_of(result.expectation_config): result for result in results}
        return [by_rule[key_of(one.configuration)] for one in expectations]

    return run


def error_of(result: Any) -> str | None:
    """What a rule that could not run says, in either of the two shapes it is told in."""
    info = result.exception_info or {}
    told = [info, *(one for one in info.values() if isinstance(one, dict))]
    return next((one["exception_message"] for one in told if one.get("raised_exception")), None)
