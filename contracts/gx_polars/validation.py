"""What a suite says of some data, rule by rule: passed, failed, or error where a rule could not run.

Great Expectations calls a rule that raised a failure, and a suite unsuccessful whatever the severity of what
failed. Here a rule that could not run is told apart, and severities decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from .internals import COUNTS_ONLY, ExpectationSuite, ephemeral_context
from .subject import Subject, subject_of

State = Literal["passed", "failed", "error"]
CRITICAL = "critical"


@dataclass(frozen=True)
class Verdict:
    """How one rule fared.

    Attributes:
        rule: `meta.rule` of the expectation, else its type.
        type: The expectation's type.
        severity: critical, warning or info.
        state: passed; failed; error: it could not run.
        broken: Rows that broke it; None where it judges no single rows or could not run.
        said: Why it could not run.
    """

    rule: str
    type: str
    severity: str
    state: State
    broken: int | None = None
    said: str | None = None

    @property
    def is_critical(self) -> bool:
        """Whether the data must not be used: a critical rule failed, or any rule could not run."""
        return self.state == "error" or (self.state == "failed" and self.severity == CRITICAL)


def verdicts(result: Any) -> list[Verdict]:  # noqa: ANN401 - Great Expectations' class
    """The verdicts in the result of a suite.

    Args:
        result: What `Batch.validate(suite)` or a validation definition's `run` returned.
    """
    return [_verdict(one) for one in result.results]


def _verdict(result: Any) -> Verdict:  # noqa: ANN401 - Great Expectations' class
    written, said = result.expectation_config, raised(result)
    state: State = "error" if said is not None else "passed" if result.success else "failed"
    return Verdict(
        rule=str((written.meta or {}).get("rule", written.type)),
        type=written.type,
        severity=str(getattr(written.severity, "value", written.severity) or CRITICAL),
        state=state,
        broken=(result.result or {}).get("unexpected_count") if said is None else None,
        said=said,
    )


def raised(result: Any) -> str | None:  # noqa: ANN401 - Great Expectations' class
    """Why a rule could not run, in either of the two shapes in which results tell it; None when it could."""
    info = result.exception_info or {}
    told = [info, *(one for one in info.values() if isinstance(one, dict))]
    return next((str(one["exception_message"]) for one in told if one.get("raised_exception")), None)


class Validation:
    """A suite that is held against frames, one after the other, in an ephemeral context of its own.

    Not for several threads at once: make one for each.
    """

    def __init__(self, suite: Mapping[str, Any]) -> None:
        self._suite = ExpectationSuite(**suite)
        self._rules = {one.meta["rule"]: one for one in self._suite.expectations if one.meta}
        if len(self._rules) != len(self._suite.expectations):
            raise ValueError(
                f"suite {self._suite.name!r} has expectations without a 'meta.rule' of their own. Name each."
            )
        asset = ephemeral_context().data_sources.add_polars("polars").add_frame("frame")
        self._batches = asset.add_batch_definition_whole_dataframe("all")

    def __call__(
        self, data: pl.DataFrame | pl.LazyFrame | Subject, parameters: Mapping[str, Any] | None = None
    ) -> dict[str, Verdict]:
        """Hold the suite against a frame.

        Args:
            data: The frame, or a subject with its references.
            parameters: Values of the suite's parameters.

        Returns:
            Verdicts by rule, in the suite's order.

        Raises:
            LookupError: A rule has no verdict.
        """
        batch = self._batches.get_batch({"dataframe": subject_of(data)})
        found = verdicts(
            batch.validate(
                self._suite,
                result_format=dict(COUNTS_ONLY),
                expectation_parameters=dict(parameters or {}),
            )
        )
        by_rule = {one.rule: one for one in found}
        if lost := self._rules.keys() - by_rule.keys():
            raise LookupError(f"{min(lost)!r} has no verdict. Report it: no rule may be lost.")
        return {rule: by_rule[rule] for rule in self._rules}

    def broken(self, subject: Subject, rule: str) -> pl.Series:
        """The rows of a subject that broke a rule, see `Subject.unexpected`."""
        return subject.unexpected(self._rules[rule])
