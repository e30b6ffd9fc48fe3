"""Examples of rules: events written in the map, led through the compiled rules without any data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from contracts.accountability import UNMATCHED, Example, Rule
from contracts.events import ATTRIBUTE, CONDITION_COLUMNS, NUMBERS, Codebook
from contracts.predicates import Scalar
from transforms.predicates import as_text
from transforms.rules import compile_rules


@dataclass(frozen=True)
class Tried:
    """One example and where the rules led it.

    Attributes:
        rule: Id of the rule it stands under.
        index: Its place there, from 0.
        expected: Touchpoint it should come to, or `unmatched`.
        got: Touchpoint it came to, or `unmatched`.
        won_by: Id of the rule that took it; None when none did.
    """

    rule: str
    index: int
    expected: str
    got: str
    won_by: str | None

    @property
    def is_kept(self) -> bool:
        """Whether it came where it should."""
        return self.got == self.expected


def try_examples(rules: Sequence[Rule]) -> list[Tried]:
    """Every example led through all the rules, in the order they are written.

    The rules are compiled as they are for stored events, so an example meets the fate of an event with
    the same columns. A column that an example does not write is missing.

    Args:
        rules: The map's rules in order; the first that matches wins.
    """
    written = [(rule, index, one) for rule in rules for index, one in enumerate(rule.examples)]
    if not written:
        return []
    codebook = _codebook(rules)
    decision = compile_rules(rules, codebook)
    events = _events([example for _, _, example in written], codebook, decision.columns)
    winners = events.select(decision.rule.alias("rule"))["rule"].to_list()
    return [
        _tried(rule, index, example, rules[winner - 1] if winner else None)
        for (rule, index, example), winner in zip(written, winners, strict=True)
    ]


def _tried(rule: Rule, index: int, example: Example, winner: Rule | None) -> Tried:
    return Tried(
        rule.id,
        index,
        example.expect or rule.touchpoint,
        winner.touchpoint if winner else UNMATCHED,
        winner.id if winner else None,
    )


def _codebook(rules: Sequence[Rule]) -> Codebook:
    """Codes for every value that examples have; an attribute is a number when all its values are."""
    values: dict[str, list[Scalar]] = {}
    for rule in rules:
        for name in rule.where:
            values.setdefault(name, [])
        for example in rule.examples:
            for name, value in example.event.items():
                values.setdefault(name, []).append(value)
    attributes = {
        name: "number" if _are_numbers(given) else "text"
        for name, given in values.items()
        if name not in (*CONDITION_COLUMNS, *NUMBERS)
    }
    texts = {
        (ATTRIBUTE + name if name in attributes else name): sorted(
            {as_text(_as_read(value)) for value in given if value is not None}
        )
        for name, given in values.items()
        if name not in NUMBERS and attributes.get(name) != "number"
    }
    return Codebook(texts, attributes)


def _are_numbers(given: Sequence[Scalar]) -> bool:
    told = [value for value in given if value is not None]
    return bool(told) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in told)


def _as_read(value: Scalar) -> Scalar:
    return float(value) if type(value) is int else value


def _events(examples: Sequence[Example], codebook: Codebook, columns: Sequence[str]) -> pl.DataFrame:
    """The examples as stored events: the columns that any rule tests, texts as codes."""

    def stored(column: str) -> Iterator[float | None]:
        name = column.removeprefix(ATTRIBUTE)
        for example in examples:
            value = example.event.get(name)
            if codebook.is_coded(column):
                yield 0 if value is None else codebook.code(column, as_text(_as_read(value)))
            else:
                yield None if value is None else float(value)

    types = {column: pl.UInt32 if codebook.is_coded(column) else pl.Float64 for column in columns}
    rows = pl.DataFrame({column: list(stored(column)) for column in columns}, schema=types)
    return rows if columns else pl.DataFrame({"example": range(len(examples))})
