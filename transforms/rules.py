"""Ordered rules compiled to one decision table.

A rule tests columns one by one, so all that matters of a value is which conditions accept it. Each
column's values fall into a few *bins* of equal fate; a rule accepts a box of bins; the table holds,
for every combination of bins, the first rule whose box contains it. Looking an event up costs one
gather, however many rules there are, and rules that never win show up while the table is filled.

When the combinations are too many to list, the rules are tried one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, reduce
from math import prod
from operator import add

import numpy as np
import polars as pl

from contracts.accountability import Rule
from contracts.events import Codebook
from contracts.predicates import Condition
from transforms.pieces import Piece
from transforms.predicates import all_hold, as_text, coded

TABLE_LIMIT = 4_000_000
"""Combinations that are listed in full; beyond, the rules are tried one after the other."""
FEW_CUTS = 12
"""So many cuts of a number are compared with one by one; among more, its bin is searched for."""


@dataclass(frozen=True)
class Dimension:
    """One column as bins of values that meet the same fate.

    Attributes:
        column: Stored column.
        accepts: For every rule (row), which bins (column) it accepts.
        bin_of: The bin of every code, where the column holds codes.
        cuts: Where the bins of numbers but the first begin, ascending: at the cut, or `True` just above it. The
            last bin of numbers is that of missing ones.
    """

    column: str
    accepts: np.ndarray
    bin_of: np.ndarray | None = None
    cuts: Sequence[tuple[float, bool]] = ()

    @property
    def size(self) -> int:
        """How many bins there are."""
        return self.accepts.shape[1]

    @property
    def missing(self) -> int:
        """The bin of numbers that miss."""
        return self.size - 1

    @cached_property
    def begins(self) -> np.ndarray:
        """The least number in every bin of numbers but the first."""
        return np.array([np.nextafter(cut, np.inf) if is_above else cut for cut, is_above in self.cuts])


@dataclass(frozen=True)
class Table:
    """A decision table.

    Attributes:
        dimensions: Its dimensions, those of numbers last.
        winners: The first rule that accepts a combination of bins, laid out row by row.
    """

    dimensions: Sequence[Dimension]
    winners: np.ndarray

    @cached_property
    def strides(self) -> Mapping[str, np.ndarray]:
        """By code of every column that holds codes, how far the place of its bin is from that of the first."""
        widths = [prod(one.size for one in self.dimensions[i + 1 :]) for i in range(len(self.dimensions))]
        return {
            one.column: (one.bin_of * width).astype(np.uint32)
            for one, width in zip(self.dimensions, widths, strict=True)
            if one.bin_of is not None
        }

    @cached_property
    def numbers(self) -> Sequence[Dimension]:
        """The dimensions of numbers."""
        return [one for one in self.dimensions if one.bin_of is None]

    @cached_property
    def kind(self) -> np.dtype:
        """The smallest type that holds any combination of bins of numbers."""
        return np.min_scalar_type(max(prod(one.size for one in self.numbers) - 1, 0))

    def expression(self) -> pl.Expr:
        """The number of an event's rule."""
        return pl.lit(pl.Series("rule", self.winners)).gather(_place(self))

    def look_up(self, events: Piece) -> np.ndarray:
        """The number of every event's rule."""
        place = np.zeros(events.height, dtype=self.kind)
        for number in self.numbers:
            place = place * self.kind.type(number.size) + _bins(number, events, self.kind)
        for column, stride in self.strides.items():
            place = stride.take(events.whole(column)) + place
        return self.winners.take(place)


@dataclass(frozen=True)
class Decision:
    """Compiled rules.

    Attributes:
        rules: The rules, in order; the i-th has number i + 1, and 0 is "no rule".
        columns: Stored columns that any rule tests.
        rule: The number of the first rule that accepts an event, over stored columns.
        shadowed_by: For every rule that can never win, the earlier rules that win in its place.
        table: The rules as a table; None where there is none.
    """

    rules: Sequence[Rule]
    columns: Sequence[str]
    rule: pl.Expr
    shadowed_by: dict[str, list[str]]
    table: Table | None = None

    def numbers(self, events: Piece) -> np.ndarray:
        """What `rule` says of every event, in a third of the time."""
        if self.table is not None:
            return self.table.look_up(events)
        return events.events.with_columns(self.rule.alias("rule"))["rule"].to_numpy()


def compile_rules(rules: Sequence[Rule], codebook: Codebook) -> Decision:
    """Compile ordered rules into a decision table.

    Args:
        rules: Rules in order; the first that matches wins.
        codebook: What the stored codes stand for. Values that rules name but no event has had yet
            count too, so a rule is only called shadowed when it can never win.
    """
    tests = [_tests(rule, codebook) for rule in rules]
    columns = sorted({column for test in tests for column in test})
    # Numbers last: their bins are few, and are put together as small numbers before they become part of a place.
    texts_first = sorted(columns, key=lambda column: not codebook.is_coded(column))
    dimensions = [
        _dimension(column, [test.get(column) for test in tests], codebook) for column in texts_first
    ]
    if prod(dimension.size for dimension in dimensions) > TABLE_LIMIT:
        chain = rule_expression(rules, codebook)
        return Decision(rules, columns, chain, _shadowed_by_one(rules, dimensions))
    table = np.zeros([dimension.size for dimension in dimensions], dtype=np.uint16)
    for index in reversed(range(len(rules))):
        table[_box(dimensions, index)] = index + 1
    if not dimensions:  # one rule that accepts everything, or none at all
        return Decision(rules, columns, pl.lit(table.item(), dtype=pl.UInt16), _shadowed(rules, [], table))
    made = Table(dimensions, table.reshape(-1))
    return Decision(rules, columns, made.expression(), _shadowed(rules, dimensions, table), made)


class Compiler:
    """Compiles rules, and gives what it gave last as long as the rules, which may be read anew, and the words that they test say the same."""

    def __init__(self) -> None:
        self._last: tuple[Decision, Codebook] | None = None

    def decision(self, rules: Sequence[Rule], codebook: Codebook) -> Decision:
        """As `compile_rules`."""
        if self._last is not None:
            made, then = self._last
            if list(made.rules) == list(rules) and _says_the_same(codebook, then, made.columns):
                return made
        made = compile_rules(rules, codebook)
        self._last = made, codebook
        return made


def _says_the_same(one: Codebook, other: Codebook, columns: Sequence[str]) -> bool:
    """Whether codes of some columns stand for the same in two codebooks."""
    if one.attributes != other.attributes:
        return False
    return all(_are_alike(one.values.get(column, ()), other.values.get(column, ())) for column in columns)


def _are_alike(one: Sequence[str] | pl.Series, other: Sequence[str] | pl.Series) -> bool:
    if isinstance(one, pl.Series) or isinstance(other, pl.Series):
        return isinstance(one, pl.Series) and isinstance(other, pl.Series) and one.equals(other)
    return list(one) == list(other)


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
    # Values of one fate share a bin: found by the bits of their columns, which sorting columns takes many times longer for.
    bits = [fate.tobytes() for fate in np.packbits(fates, axis=0).T]
    number = {fate: place for place, fate in enumerate(dict.fromkeys(bits))}
    bins = fates[:, [bits.index(fate) for fate in number]]
    return Dimension(column, bins, bin_of=np.array([number[fate] for fate in bits[: len(known) + 1]]))


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
        else value in wanted or (bool(patterns) and any(fnmatchcase(value, one) for one in patterns))
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
    # Odd points are the cuts themselves, even ones stand for the open stretches between; the last is "missing".
    points = [_between(cuts, i) for i in range(2 * len(cuts) + 1)]
    accepts = np.array([[_accepts_number(test, p) for p in [*points, None]] for test in tests])
    begins = [i for i in range(1, len(points)) if (accepts[:, i] != accepts[:, i - 1]).any()]
    bins = accepts[:, [0, *begins, len(points)]]
    return Dimension(column, bins, cuts=[(float(cuts[(i - 1) // 2]), i % 2 == 0) for i in begins])


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


def _place(table: Table) -> pl.Expr:
    """Where in the table, laid out row by row, an event's combination of bins stands."""
    parts = [pl.lit(pl.Series(stride)).gather(pl.col(column)) for column, stride in table.strides.items()]
    if table.numbers:
        parts.append(_place_among(table.numbers).cast(pl.UInt32))
    return reduce(add, parts)


def _place_among(numbers: Sequence[Dimension]) -> pl.Expr:
    """The place among combinations of bins of numbers, in the smallest type that holds it."""
    combinations = prod(one.size for one in numbers)
    kind = pl.UInt8 if combinations <= 1 << 8 else pl.UInt16 if combinations <= 1 << 16 else pl.UInt32
    place = _bin(numbers[0], kind)
    for one in numbers[1:]:
        place = place * pl.lit(one.size, dtype=kind) + _bin(one, kind)
    return place


def _bin(number: Dimension, kind: type[pl.DataType]) -> pl.Expr:
    value, missing = pl.col(number.column), pl.lit(number.missing, dtype=kind)
    if len(number.cuts) > FEW_CUTS:
        passed = pl.lit(pl.Series(number.begins, dtype=pl.Float64)).search_sorted(value, side="right")
        return pl.when(value.is_null()).then(missing).otherwise(passed.cast(kind))
    if not number.cuts:
        return value.is_null().cast(kind)
    passed = [(value > cut if is_above else value >= cut).cast(kind) for cut, is_above in number.cuts]
    return reduce(add, passed).fill_null(missing)


def _bins(number: Dimension, events: Piece, kind: np.dtype) -> np.ndarray:
    """The bin of every event's number, as `_bin` says."""
    values, there = events.values(number.column)
    if len(number.cuts) > FEW_CUTS:
        bins = np.searchsorted(number.begins, values, side="right").astype(kind)
    else:
        bins = np.full(events.height, len(number.cuts), dtype=kind)
        for cut, is_above in number.cuts:
            # What is not below has passed: as polars has it, which takes what is no number for the greatest.
            below = values <= cut if is_above else values < cut
            bins -= below.view(np.uint8)
    if there is not None:
        # Numbers wrap around, and come out right: no branch, and nothing wider.
        bins -= kind.type(number.missing)
        bins *= there
        bins += kind.type(number.missing)
    return bins


def _box(dimensions: Sequence[Dimension], rule: int) -> tuple[np.ndarray, ...]:
    return np.ix_(*(np.flatnonzero(dimension.accepts[rule]) for dimension in dimensions))


def _shadowed(
    rules: Sequence[Rule], dimensions: Sequence[Dimension], table: np.ndarray
) -> dict[str, list[str]]:
    wins = np.bincount(table.reshape(-1), minlength=len(rules) + 1)
    return {
        rule.id: [rules[winner - 1].id for winner in _present(table[_box(dimensions, index)])]
        for index, rule in enumerate(rules)
        if wins[index + 1] == 0
    }


def _present(numbers: np.ndarray) -> list[int]:
    """Small whole numbers that occur, ascending."""
    return np.flatnonzero(np.bincount(numbers.reshape(-1))).tolist()


def _shadowed_by_one(rules: Sequence[Rule], dimensions: Sequence[Dimension]) -> dict[str, list[str]]:
    """Rules whose whole box lies in one earlier rule's box; unions of several are not looked for."""
    found = {}
    for index, rule in enumerate(rules):
        for earlier in range(index):
            if all(np.all(d.accepts[earlier] >= d.accepts[index]) for d in dimensions):
                found[rule.id] = [rules[earlier].id]
                break
    return found
