"""Ordered rules compiled to one decision table.

A rule tests columns one by one, so all that matters of a value is which conditions accept it. Each
column's values fall into a few *bins* of equal fate; a rule accepts a box of bins; the table holds,
for every combination of bins, the first rule whose box contains it. Looking an event up costs one
gather, however many rules there are, and rules that never win show up while the table is filled.

When the combinations are too many to list, only those that occur are decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod

import numpy as np
import polars as pl

from contracts.accountability import Rule
from contracts.events import Codebook
from contracts.predicates import Condition
from transforms.predicates import all_hold, as_text, coded

TABLE_LIMIT = 4_000_000
"""Combinations that are listed in full; beyond, the rules are tried one after the other."""


@dataclass(frozen=True)
class Dimension:
    """One column as bins of values that meet the same fate.

    Attributes:
        column: Stored column.
        bin: The bin of a stored value, from 0.
        accepts: For every rule (row), which bins (column) it accepts.
    """

    column: str
    bin: pl.Expr
    accepts: np.ndarray

    @property
    def size(self) -> int:
        """How many bins there are."""
        return self.accepts.shape[1]


@dataclass(frozen=True)
class Decision:
    """Compiled rules.

    Attributes:
        rules: The rules, in order; the i-th has number i + 1, and 0 is "no rule".
        columns: Stored columns that any rule tests.
        rule: The number of the first rule that accepts an event, over stored columns.
        shadowed_by: For every rule that can never win, the earlier rules that win in its place.
    """

    rules: Sequence[Rule]
    columns: Sequence[str]
    rule: pl.Expr
    shadowed_by: dict[str, list[str]]


def compile_rules(rules: Sequence[Rule], codebook: Codebook) -> Decision:
    """Compile ordered rules into a decision table.

    Args:
        rules: Rules in order; the first that matches wins.
        codebook: What the stored codes stand for. Values that rules name but no event has had yet
            count too, so a rule is only called shadowed when it can never win.
    """
    tests = [_tests(rule, codebook) for rule in rules]
    columns = sorted({column for test in tests for column in test})
    dimensions = [_dimension(column, [test.get(column) for test in tests], codebook) for column in columns]
    if prod(dimension.size for dimension in dimensions) > TABLE_LIMIT:
        chain = rule_expression(rules, codebook)
        return Decision(rules, columns, chain, _shadowed_by_one(rules, dimensions))
    table = np.zeros([dimension.size for dimension in dimensions], dtype=np.uint16)
    for index in reversed(range(len(rules))):
        table[_box(dimensions, index)] = index + 1
    if not dimensions:  # one rule that accepts everything, or none at all
        return Decision(rules, columns, pl.lit(table.item(), dtype=pl.UInt16), _shadowed(rules, [], table))
    looked_up = pl.lit(pl.Series("rule", table.reshape(-1))).gather(_packed(dimensions))
    return Decision(rules, columns, looked_up, _shadowed(rules, dimensions, table))


def rule_expression(rules: Sequence[Rule], codebook: Codebook) -> pl.Expr:
    """The number of the first rule that accepts a row, as a chain of conditions: the reference."""
    decided = pl.lit(0, dtype=pl.UInt16)
    for number, rule in reversed(list(enumerate(rules, start=1))):
        tests = _tests(rule, codebook).items()
        holds = all_hold(coded(column, condition, codebook) for column, condition in tests)
        decided = pl.when(holds).then(pl.lit(number, dtype=pl.UInt16)).otherwise(decided)
    return decided.alias("rule")


def _tests(rule: Rule, codebook: Codebook) -> dict[str, Condition]:
    selectors = {
        name: Condition(any_of=tuple(getattr(rule, name)))
        for name in ("feed", "kind", "channel")
        if getattr(rule, name)
    }
    return selectors | {codebook.column(name): test for name, test in rule.where.items()}


def _dimension(column: str, tests: Sequence[Condition | None], codebook: Codebook) -> Dimension:
    if codebook.is_coded(column):
        return _text_dimension(column, tests, codebook)
    return _number_dimension(column, tests)


def _text_dimension(column: str, tests: Sequence[Condition | None], codebook: Codebook) -> Dimension:
    known = list(codebook.values.get(column, ()))
    named = {as_text(v) for test in tests if test for v in test.any_of if v is not None}
    # A value that no event has had yet, and one that no rule names: both can still come.
    unseen = sorted({name.replace("*", "~") for name in named} - set(known))
    values = [None, *known, *unseen, "\x00 any other"]
    fate_of = {test: _accepted_texts(test, values) for test in set(tests)}
    fates = np.array([fate_of[test] for test in tests])
    bins, bin_of = np.unique(fates, axis=1, return_inverse=True)
    by_code = pl.Series(column, bin_of.reshape(-1)[: len(known) + 1], dtype=pl.UInt32)
    return Dimension(column, pl.lit(by_code).gather(pl.col(column)), bins)


def _accepted_texts(test: Condition | None, values: Sequence[str | None]) -> list[bool]:
    """Which of these values a test accepts."""
    if test is None:
        return [True] * len(values)
    if test.bounds:
        return [_within(test, _as_number(value)) for value in values]
    wanted = {as_text(value) for value in test.any_of if value is not None}
    patterns = [name for name in wanted if "*" in name]
    has_missing = None in test.any_of
    return [
        has_missing
        if value is None
        else value in wanted or any(fnmatchcase(value, pattern) for pattern in patterns)
        for value in values
    ]


def _as_number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _number_dimension(column: str, tests: Sequence[Condition | None]) -> Dimension:
    limits = {limit for test in tests if test for _, limit in test.bounds}
    limits |= {float(v) for test in tests if test for v in test.any_of if v is not None}
    cuts = np.array(sorted(limits), dtype=np.float64)
    # Odd bins are the cuts themselves, even ones the open stretches between; the last is "missing".
    points = [_between(cuts, i) for i in range(2 * len(cuts) + 1)]
    accepts = np.array([[_accepts_number(test, p) for p in [*points, None]] for test in tests])
    value = pl.col(column)
    passed = [pl.lit(0, dtype=pl.UInt32)]
    passed += [(value >= cut).cast(pl.UInt32) + (value > cut).cast(pl.UInt32) for cut in limits]
    found = pl.when(value.is_null()).then(len(points)).otherwise(pl.sum_horizontal(passed))
    return Dimension(column, found.cast(pl.UInt32), accepts)


def _between(cuts: np.ndarray, index: int) -> float:
    if index % 2:
        return float(cuts[index // 2])
    if not cuts.size:
        return 0.0
    below = cuts[index // 2 - 1] if index else cuts[0] - 2
    above = cuts[index // 2] if index // 2 < len(cuts) else below + 2
    return float((below + above) / 2)


def _accepts_number(test: Condition | None, value: float | None) -> bool:
    if test is None:
        return True
    return _within(test, value) if test.bounds else value in test.any_of


def _within(test: Condition, value: float | None) -> bool:
    compare = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less}
    return value is not None and all(bool(compare[op](value, limit)) for op, limit in test.bounds)


def _packed(dimensions: Sequence[Dimension]) -> pl.Expr:
    key = dimensions[0].bin
    for dimension in dimensions[1:]:
        key = key * dimension.size + dimension.bin
    return key


def _box(dimensions: Sequence[Dimension], rule: int) -> tuple[np.ndarray, ...]:
    return np.ix_(*(np.flatnonzero(dimension.accepts[rule]) for dimension in dimensions))


def _shadowed(
    rules: Sequence[Rule], dimensions: Sequence[Dimension], table: np.ndarray
) -> dict[str, list[str]]:
    wins = np.bincount(table.reshape(-1), minlength=len(rules) + 1)
    return {
        rule.id: [rules[winner - 1].id for winner in np.unique(table[_box(dimensions, index)])]
        for index, rule in enumerate(rules)
        if wins[index + 1] == 0
    }


def _shadowed_by_one(rules: Sequence[Rule], dimensions: Sequence[Dimension]) -> dict[str, list[str]]:
    """Rules whose whole box lies in one earlier rule's box; unions of several are not looked for."""
    found = {}
    for index, rule in enumerate(rules):
        for earlier in range(index):
            if all(np.all(d.accepts[earlier] >= d.accepts[index]) for d in dimensions):
                found[rule.id] = [rules[earlier].id]
                break
    return found
