"""Deliveries judged by Great Expectations: their contract compiled to a suite, run on its polars engine.

The verdicts, the rows and the counts are those of Great Expectations; severities, and what becomes of a row,
stay ours. It is loaded when the first delivery is judged: 4 CPU seconds and 260 MB.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import polars as pl

from contracts.contract_suite import WHOLE, Expected, row_expectations, suite, volume_expectations
from contracts.deliveries import RuleResult
from contracts.errors import PromiseError
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from transforms.judge import FORMER, Found, References, RowRule, isolated
from transforms.spelled import DELIVERED, spelled


@dataclass(frozen=True)
class Validated:
    """What Great Expectations judged of one stream in a run.

    Attributes:
        feed: The feed.
        stream: The stream.
        expectations: How many expectations a delivery was held against.
        deliveries: How many deliveries were.
        failed: How often an expectation failed.
        errors: How often one could not run on some rows.
    """

    feed: str
    stream: str
    expectations: int = 0
    deliveries: int = 0
    failed: int = 0
    errors: int = 0


@dataclass
class GreatExpectations:
    """Judges the deliveries of one stream.

    Attributes:
        shape: The contract's schema.
        stream: The stream.
        references: Values that relationships point to.
        validated: What it judged so far.
    """

    shape: SchemaObject
    stream: Stream
    references: References
    validated: Validated
    _suites: dict[str, Any] = field(default_factory=dict)

    def find(self, rows: pl.DataFrame, rules: Sequence[RowRule]) -> Found:
        """Which rows break which rule; those on which a rule cannot be computed are found one by one.

        Args:
            rows: A conformed frame.
            rules: The contract's rules.

        Raises:
            PromiseError: Its counts are not those of its masks, or it judged other rules.
        """
        from contracts.gx_polars import Subject  # noqa: PLC0415 - 4 CPU seconds

        is_landed = FORMER in rows.columns
        expected = row_expectations(self.shape, DELIVERED, landed=is_landed)
        validation = self._suite("landed" if is_landed else "rows", expected)
        subject = Subject(spelled(rows, self.shape, self.stream), self._known)
        verdicts = validation(subject)
        if odd := verdicts.keys() ^ {rule.name for rule in rules}:
            raise self._defect(f"rule {min(odd)!r} is not both in the contract and in its suite.")
        masks, errors = [], set[str]()
        for rule in rules:
            verdict = verdicts[rule.name]
            if verdict.state == "error":
                errors.add(rule.name)
                masks.append(isolated(rows, rule)[0])
                continue
            mask = validation.broken(subject, rule.name).alias(rule.name)
            count = int(mask.sum())
            if count != verdict.broken or rule.keeps(count, rows.height) != (verdict.state == "passed"):
                raise self._defect(f"rule {rule.name!r} {verdict.state} with {count:,} broken rows.")
            masks.append(mask)
        failed = sum(verdict.state == "failed" for verdict in verdicts.values())
        self._count(1, failed, len(errors))
        return Found(pl.DataFrame(masks), frozenset(errors))

    def volume(self, rows: int) -> list[RuleResult]:
        """How the rules over the number of delivered rows fared."""
        numbers = pl.select(row=pl.int_range(rows, dtype=pl.UInt32))
        verdicts = self._suite("volume", volume_expectations(self.shape))(numbers)
        severities = {rule.id: rule.severity for rule in self.shape.volume}
        self._count(0, sum(one.state != "passed" for one in verdicts.values()), 0)
        return [
            RuleResult(name, severities[name], rows, 0 if one.state == "passed" else rows, one.state)
            for name, one in verdicts.items()
        ]

    @cached_property
    def _known(self) -> Mapping[str, pl.Series]:
        return known(self.references)

    def _suite(self, name: str, expected: Iterable[Expected]) -> Any:  # noqa: ANN401 - loaded when needed
        from contracts.gx_polars import Validation  # noqa: PLC0415 - 4 CPU seconds

        if name not in self._suites:
            quiet()
            made = suite(f"{self.validated.feed}.{self.validated.stream}.{name}", expected)
            self._suites[name] = Validation(made)
            count = self.validated.expectations + (len(made["expectations"]) if name != "landed" else 0)
            self.validated = replace(self.validated, expectations=count)
        return self._suites[name]

    def _count(self, deliveries: int, failed: int, errors: int) -> None:
        before = self.validated
        self.validated = replace(
            before,
            deliveries=before.deliveries + deliveries,
            failed=before.failed + failed,
            errors=before.errors + errors,
        )

    def _defect(self, said: str) -> PromiseError:
        where = f"{self.validated.feed}.{self.validated.stream}"
        return PromiseError.at(where, said, "This is a defect: report it.")


def known(references: References) -> dict[str, pl.Series]:
    """References as suites name them: as texts, and as whole numbers."""
    whole = {to + WHOLE: values.cast(pl.Int64, strict=False) for to, values in references.items()}
    return {**references, **whole}


def quiet() -> None:
    """Keep Great Expectations, once it is imported, from telling of every context that it makes, as news."""
    for name in (
        "great_expectations",
        "great_expectations.data_context.types.base",
    ):  # the latter sets its own
        logging.getLogger(name).setLevel(logging.WARNING)


def sentences(validated: Iterable[Validated]) -> list[str]:
    """One line for each feed: what Great Expectations judged of it."""
    by_feed: dict[str, list[Validated]] = {}
    for one in validated:
        by_feed.setdefault(one.feed, []).append(one)
    engine = f"Great Expectations {version('great_expectations')} on polars"
    return [f"{feed}: {_sentence(found, engine)}" for feed, found in by_feed.items()]


def _sentence(found: Sequence[Validated], engine: str) -> str:
    deliveries, failed = sum(one.deliveries for one in found), sum(one.failed for one in found)
    return (
        f"{sum(one.expectations for one in found)} expectations by {engine}; "
        f"{deliveries} {'delivery' if deliveries == 1 else 'deliveries'}, "
        f"{failed} {'rule' if failed == 1 else 'rules'} broken, "
        f"{sum(one.errors for one in found)} that could not run"
    )
