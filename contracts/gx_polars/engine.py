"""Great Expectations' execution engine for polars frames."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from .answers import Aggregate, Condition, Request, Rows
from .domains import clause_of, domain_of
from .internals import (
    BatchMarkers,
    ExecutionEngine,
    IDDict,
    MetricConfiguration,
    answer_of,
    errors,
    identity,
)
from .subject import PolarsBatchData, Subject, subject_of
from .waves import run

Failures = dict[MetricConfiguration, Exception]


class PolarsExecutionEngine(ExecutionEngine[pl.Expr]):
    """Answers Great Expectations' metrics on polars frames, all of a wave in as few queries as possible.

    Each batch has an engine of its own: nothing is shared between validations, so they may run in threads,
    and nothing outlives them.
    """

    def load_batch_data(self, batch_id: str, batch_data: Any) -> None:  # noqa: ANN401 - as the class above
        """Take on the data of a batch."""
        if not isinstance(batch_data, PolarsBatchData):
            batch_data = PolarsBatchData(self, subject_of(batch_data))
        super().load_batch_data(batch_id, batch_data)

    def get_batch_data_and_markers(self, batch_spec: Any) -> tuple[PolarsBatchData, BatchMarkers]:  # noqa: ANN401 - as above
        """The data that a batch specification holds, and when it was loaded."""
        data = PolarsBatchData(self, subject_of(batch_spec.batch_data))
        batch_spec.batch_data = "polars"
        now = datetime.now(UTC)  # noqa: TID251 - a stamp that Great Expectations demands; no rule sees it
        return data, BatchMarkers({"ge_load_time": now.strftime("%Y%m%dT%H%M%S.%fZ")})

    def subject_of(self, domain: Mapping[str, Any]) -> Subject:
        """The data that a domain is about.

        Raises:
            ValidationError: No such batch is loaded.
        """
        batch = domain.get("batch_id") or self.batch_manager.active_batch_data_id
        if batch not in self.batch_manager.batch_data_cache:
            raise errors.ValidationError(f"no batch {batch!r} is loaded. Load one before validating.")
        data = self.batch_manager.batch_data_cache[batch]
        return data.subject  # ty: ignore[missing-union-attribute] - load_batch_data lets nothing else in

    def get_domain_records(self, domain_kwargs: dict) -> pl.LazyFrame:
        """The rows inside a domain."""
        frame, where = self.subject_of(domain_kwargs).frame.lazy(), domain_of(domain_kwargs)
        return frame if where is None else frame.filter(where)

    def get_compute_domain(
        self,
        domain_kwargs: dict,
        domain_type: Any,  # noqa: ANN401 - words or their class
        accessor_keys: Iterable[str] | None = None,
    ) -> tuple[pl.LazyFrame, dict, dict]:
        """The rows inside a domain, and its description in the two halves that Great Expectations wants."""
        parts = self._partition_domain_kwargs(domain_kwargs, domain_type, accessor_keys)
        return self.get_domain_records(domain_kwargs), parts.compute, parts.accessor

    def condition_to_filter_clause(self, condition: object) -> pl.Expr:
        """A row condition as an expression."""
        return clause_of(condition)

    _comparison_condition_to_filter_clause = condition_to_filter_clause
    _nullity_condition_to_filter_clause = condition_to_filter_clause
    _and_condition_to_filter_clause = condition_to_filter_clause
    _or_condition_to_filter_clause = condition_to_filter_clause

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[MetricConfiguration],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: dict | None = None,  # noqa: ARG002 - the class above names it
    ) -> dict[Any, Any]:
        """Answer all metrics of one wave.

        Raises:
            MetricResolutionError: Some could not be answered. It names only those, and in one error only those
                that failed for the same reason; the others stand in `metrics`, and Great Expectations asks again.
        """
        known = {} if metrics is None else metrics
        answers: dict[Any, Any] = {}
        failures: Failures = {}
        waiting: dict[int, tuple[Subject, dict[MetricConfiguration, Any]]] = {}
        for metric in metrics_to_resolve:
            try:
                subject, answer = self._ask(metric, known)
            except Exception as error:  # noqa: BLE001 - whatever breaks a rule is that rule's answer
                failures[metric] = error
                continue
            if isinstance(answer, Condition | Aggregate | Rows):
                waiting.setdefault(id(subject), (subject, {}))[1][metric] = answer
            else:
                answers[metric.id] = answer
        for subject, asked in waiting.values():
            found, broken = run(subject, {metric.id: one for metric, one in asked.items()})
            answers |= found
            failures |= {metric: broken[metric.id] for metric in asked if metric.id in broken}
            _keep_masks(subject, asked)
        if failures:
            known.update(answers)
            raise _alike(failures)
        return answers

    def _ask(self, metric: MetricConfiguration, known: dict[Any, Any]) -> tuple[Subject, object]:
        provider, function = answer_of(self, metric.metric_name)
        subject = self.subject_of(metric.metric_domain_kwargs)
        depends = self._get_computed_metric_evaluation_dependencies_by_metric_name(metric, known)
        request = Request(
            subject, metric.metric_domain_kwargs, metric.metric_value_kwargs or IDDict(), depends, provider
        )
        return subject, function(request)


def _keep_masks(subject: Subject, asked: dict[MetricConfiguration, Any]) -> None:
    for metric, one in asked.items():
        if isinstance(one, Condition) and one.mask is not None:
            rule = identity(metric.metric_name, metric.metric_domain_kwargs, metric.metric_value_kwargs or {})
            subject.keep(rule, one.mask)


def _alike(failures: Failures) -> errors.MetricResolutionError:
    messages = {metric: f"{type(error).__name__}: {error}" for metric, error in failures.items()}
    message = min(messages.values())
    alike = [metric for metric in failures if messages[metric] == message]
    error = errors.MetricResolutionError(message=message, failed_metrics=alike)
    error.__cause__ = failures[alike[0]]
    return error
