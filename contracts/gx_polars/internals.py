"""Everything of Great Expectations that is not its public API, and the releases it was tested with.

No other module of this package imports `great_expectations`. When a new release moves something, this is
the file to change; the parity tests then say whether the rest still holds.
"""

import inspect
import logging
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

SUPPORTED = ((1, 24), (1, 25))
"""First supported and first unsupported release of Great Expectations."""


def check_release(release: str) -> None:
    """Refuse a release that the parity tests have not run on.

    Raises:
        ImportError: The release is outside `SUPPORTED`.
    """
    lowest, above = SUPPORTED
    if not lowest <= tuple(int(part) for part in release.split(".")[:2]) < above:
        span = " and below ".join(".".join(map(str, edge)) for edge in SUPPORTED)
        raise ImportError(f"great_expectations is {release}. Install a release from {span}.")


check_release(version("great_expectations"))

# It imports Spark where there is any, which no engine of ours needs: 1.5 CPU seconds and a warning. Under `python -c`
# Spark's client even ends the process: it takes that for its own doctests.
_SPARK = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "pyspark"}
sys.modules.update({"pyspark": None})  # ty: ignore[no-matching-overload] - Python's word for: there is none

import great_expectations.exceptions as errors
from great_expectations import get_context
from great_expectations.checkpoint import Checkpoint, UpdateDataDocsAction, ValidationAction
from great_expectations.compatibility import pydantic
from great_expectations.constants import MAX_DISTINCT_VALUES, MAX_RESULT_RECORDS
from great_expectations.core.batch import BatchData, BatchMarkers, LegacyBatchDefinition
from great_expectations.core.batch_spec import RuntimeDataBatchSpec
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.id_dict import IDDict
from great_expectations.core.metric_function_types import MetricFunctionTypes
from great_expectations.core.validation_definition import ValidationDefinition
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.batch_identifier_util import make_batch_identifier
from great_expectations.datasource.fluent.batch_request import BatchRequest
from great_expectations.datasource.fluent.interfaces import Batch, DataAsset, Datasource
from great_expectations.execution_engine import ExecutionEngine, PandasExecutionEngine
from great_expectations.expectations import core, registry
from great_expectations.expectations.expectation import (
    BatchExpectation,
    ColumnMapExpectation,
    Expectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.metrics import ColumnMapMetricProvider
from great_expectations.expectations.metrics.column_aggregate_metrics.column_outlier_statistics import (
    OutlierStatistics,
)
from great_expectations.expectations.metrics.column_map_metrics.column_values_between import (
    parse as parse_instant,
)
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.metric_provider import MetricProvider
from great_expectations.expectations.row_conditions import (
    Operator,
    PassThroughCondition,
    deserialize_row_condition,
)
from great_expectations.validator.metric_configuration import MetricConfiguration

del sys.modules["pyspark"]
sys.modules.update(_SPARK)
logging.captureWarnings(capture=False)  # the import above turns it on for the whole process

registry.register_core_metrics()
registry.register_core_expectations()

__all__ = [
    "COUNTS_ONLY",
    "MAX_DISTINCT_VALUES",
    "MAX_RESULT_RECORDS",
    "Batch",
    "BatchData",
    "BatchExpectation",
    "BatchMarkers",
    "BatchRequest",
    "Checkpoint",
    "ColumnMapExpectation",
    "ColumnMapMetricProvider",
    "DataAsset",
    "Datasource",
    "ExecutionEngine",
    "Expectation",
    "ExpectationSuite",
    "IDDict",
    "LegacyBatchDefinition",
    "MetricConfiguration",
    "MulticolumnMapExpectation",
    "MulticolumnMapMetricProvider",
    "Operator",
    "OutlierStatistics",
    "PassThroughCondition",
    "RuntimeDataBatchSpec",
    "UpdateDataDocsAction",
    "ValidationAction",
    "ValidationDefinition",
    "core",
    "deserialize_row_condition",
    "ephemeral_context",
    "errors",
    "make_batch_identifier",
    "parse_instant",
    "pydantic",
]


@dataclass(frozen=True)
class Shape:
    """How Great Expectations addresses one metric.

    Attributes:
        provider: The class that declares the metric and its dependencies.
        domain_keys: Names of the arguments that say where it is computed.
        value_keys: Names of the arguments that say what is computed.
    """

    provider: type[MetricProvider]
    domain_keys: tuple[str, ...]
    value_keys: tuple[str, ...]


COUNTS_ONLY: Mapping[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""The format of results that hold counts, and never a value of the data."""


def ephemeral_context() -> Any:  # noqa: ANN401 - its class is not public
    """A context that writes nothing and shows no progress."""
    context = get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    return context


def shape_of(metric_name: str) -> Shape:
    """The shape of a metric that Great Expectations declares itself."""
    known = registry._registered_metrics[metric_name]  # noqa: SLF001 - there is no public look-up by name
    provider = next(iter(known["providers"].values()))[0]
    return Shape(provider, tuple(known["metric_domain_keys"]), tuple(known["metric_value_keys"]))


def register(
    engine: type[ExecutionEngine], metric_name: str, shape: Shape, function: Callable[..., object]
) -> None:
    """Have an engine, and those derived from it, answer a metric with a function."""
    registry.register_metric(
        metric_name=metric_name,
        metric_domain_keys=shape.domain_keys,
        metric_value_keys=shape.value_keys,
        execution_engine=engine,
        metric_class=shape.provider,
        metric_provider=function,
        metric_fn_type=MetricFunctionTypes.VALUE,
    )


def answer_of(engine: ExecutionEngine, metric_name: str) -> tuple[Any, Callable[..., Any]]:
    """The class and function that answer a metric on an engine.

    Raises:
        errors.MetricProviderError: This engine does not compute the metric.
    """
    return registry.get_metric_provider(metric_name, engine)


def metrics_of(engine: type) -> frozenset[str]:
    """Names of the metrics that an engine computes."""
    known = registry._registered_metrics  # noqa: SLF001 - there is no public list
    return frozenset(name for name, metric in known.items() if engine.__name__ in metric["providers"])


def from_metrics(metric_name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Great Expectations' own function for a metric that is computed from other metrics alone."""
    provider, function = registry._registered_metrics[metric_name]["providers"][  # noqa: SLF001 - as above
        PandasExecutionEngine.__name__
    ]
    plain = inspect.unwrap(function)

    def answer(metrics: Mapping[str, Any]) -> object:
        return plain(
            provider,
            execution_engine=None,
            metric_domain_kwargs={},
            metric_value_kwargs={},
            metrics=metrics,
            runtime_configuration={},
        )

    return answer


def judged_by_pandas(metric_name: str) -> Callable[..., Any]:
    """Great Expectations' own row rule for pandas: takes a series and arguments, says which rows are expected."""
    provider, function = registry._registered_metrics[metric_name]["providers"][  # noqa: SLF001 - as above
        PandasExecutionEngine.__name__
    ]
    plain = inspect.unwrap(function)
    return lambda series, arguments: plain(provider, series, **arguments)


def identity(metric_name: str, domain: Mapping[str, object], values: Mapping[str, object]) -> Hashable:
    """What tells one metric from another within a batch."""
    inside = {key: value for key, value in domain.items() if key != "batch_id"}
    return MetricConfiguration(metric_name, IDDict(inside), IDDict(values)).id


def condition_identity(expectation: Expectation) -> Hashable:
    """The identity of the metric that judges the rows of an expectation.

    Raises:
        TypeError: The expectation does not judge single rows.
    """
    map_metric = getattr(expectation, "map_metric", None)
    if map_metric is None:
        raise TypeError(f"{type(expectation).__name__} judges no single rows. Ask only for row expectations.")
    name = f"{map_metric}.condition"
    arguments = registry.get_metric_kwargs(name, configuration=expectation.configuration)
    return identity(name, arguments["metric_domain_kwargs"], arguments["metric_value_kwargs"])
