"""A delivery's rows held against every rule of their contract: who breaks what, and how each rule fared.

One rule that cannot be computed never hides what the others found: it is tried again on ever smaller
parts of the rows until only those are left on which it fails, and they count as broken.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from contracts.contract_rules import Severity
from contracts.deliveries import RuleResult
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from transforms.conform import TEXT, missing, violations

REPEATED_KEY = "primary_key.unique"
TOLD = "token."
"""Prefix under which a row keeps the token of a column that tells a person."""
FORMER = "former"
"""Column of rows that come from landing, not from a file: the rules they broke then, or an empty text."""
STANDS = "stands"
"""Column that marks rows which keep the judgement they had: they are accepted."""
TOKEN = r"^(id|mail|tel)_[0-9a-f]{32}$"  # noqa: S105 - what a token looks like
_TRIES_MAX = 2_000
References = Mapping[str, pl.Series]
"""Values by what a relationship points `to`: texts as delivered, or tokens."""


@dataclass(frozen=True)
class RowRule:
    """A rule over rows.

    Attributes:
        name: `column.rule`, or the id of a rule of its own.
        broken: What a broken row satisfies; never null.
        severity: error or warning.
        keeps: Whether a count of broken rows, of so many judged, is within the rule's tolerance.
    """

    name: str
    broken: pl.Expr
    severity: Severity = "error"
    keeps: Callable[[int, int], bool] = field(default=lambda count, _: count == 0, repr=False)


@dataclass(frozen=True)
class Judged:
    """Rows and how the rules fared.

    Attributes:
        rows: The rows with `reasons`: names of the rules that set them aside, joined by `, `; null when
            none.
        results: How every rule fared, in the rules' order.
    """

    rows: pl.DataFrame
    results: Sequence[RuleResult]


def row_rules(
    shape: SchemaObject, stream: Stream, references: References, *, landed: bool = False
) -> list[RowRule]:
    """Every rule of a contract over a conformed frame, uniqueness included.

    Args:
        shape: The contract's schema.
        stream: How the delivery writes missing values.
        references: Values of every relationship.
        landed: Whether rows from landing are among them, in which tokens stand for people.
    """
    made = [RowRule(name, broken) for name, broken in violations(shape, stream)]
    made += [*_declared(shape, stream), *_related(shape, references), *_repeated(shape, landed=landed)]
    return [RowRule(r.name, r.broken.fill_null(value=False), r.severity, r.keeps) for r in made]


def judge(rows: pl.DataFrame, rules: Sequence[RowRule], shape: SchemaObject) -> Judged:
    """Hold rows against rules.

    Rows from landing (with `FORMER`) have tokens where a person was told, and nothing where other
    personal values stood. A rule over those cannot be computed again: it is broken if it was.
    """
    masks, errors = _masks(rows, [_judgeable(rule, shape, rows) for rule in rules])
    counts = masks.sum().row(0) if masks.width else ()
    results = [
        _result(rule, int(count or 0), rows.height, rule.name in errors)
        for rule, count in zip(rules, counts, strict=True)
    ]
    blocking = [one.name for one in results if one.severity == "error" and one.state != "passed"]
    return Judged(rows.with_columns(_reasons(masks.select(blocking), rows.height)), results)


def _result(rule: RowRule, failed: int, checked: int, has_error: bool) -> RuleResult:  # noqa: FBT001 - one of its facts
    state = "error" if has_error else "passed" if rule.keeps(failed, checked) else "failed"
    return RuleResult(rule.name, rule.severity, checked, failed, state)


def _reasons(masks: pl.DataFrame, height: int) -> pl.Series:
    """Names of the true columns of every row, joined by `, `; built only where there are any."""
    reasons = pl.Series("reasons", [None], dtype=pl.String).new_from_index(0, height)
    if not masks.width:
        return reasons
    at = masks.select(pl.any_horizontal(pl.all())).to_series().arg_true()
    named = [pl.when(name).then(pl.lit(name)) for name in masks.columns]
    texts = masks[at].select(pl.concat_str(named, separator=", ", ignore_nulls=True)).to_series()
    return reasons.scatter(at, texts)


def _masks(rows: pl.DataFrame, rules: Sequence[RowRule]) -> tuple[pl.DataFrame, set[str]]:
    """One column a rule, and the names of rules that could not be computed on some rows."""
    try:
        return rows.select(rule.broken.alias(rule.name) for rule in rules), set()
    except pl.exceptions.PolarsError:
        pass
    columns, errors = [], set[str]()
    for rule in rules:
        tries = [_TRIES_MAX]
        mask, is_whole = _isolated(rows, rule.broken, tries)
        columns.append(mask.alias(rule.name))
        if not is_whole:
            errors.add(rule.name)
    return pl.DataFrame(columns), errors


def _isolated(rows: pl.DataFrame, broken: pl.Expr, tries: list[int]) -> tuple[pl.Series, bool]:
    """A rule's mask, true for rows on which it cannot be computed, and whether there were none."""
    tries[0] -= 1
    try:
        return rows.select(broken.alias("broken")).to_series(), True
    except pl.exceptions.PolarsError:
        if rows.height <= 1 or tries[0] <= 0:
            return pl.Series("broken", [True], dtype=pl.Boolean).new_from_index(0, rows.height), False
    half = rows.height // 2
    first, _ = _isolated(rows.head(half), broken, tries)
    rest, _ = _isolated(rows.tail(rows.height - half), broken, tries)
    return first.append(rest), False


def _judgeable(rule: RowRule, shape: SchemaObject, rows: pl.DataFrame) -> RowRule:
    if FORMER not in rows.columns:
        return rule
    named = {name.removeprefix(TEXT).removeprefix(TOLD) for name in rule.broken.meta.root_names()}
    hidden = [
        pl.col(TEXT + p.name).is_null() if p.is_dropped else pl.col(TEXT + p.name).str.contains(TOKEN)
        for p in shape.properties
        if p.name in named and (p.is_dropped or p.identity) and not _needs_only_tokens(rule, p.name)
    ]
    broken = rule.broken
    if hidden:
        was = pl.col(FORMER).str.split(", ").list.contains(rule.name)
        is_hidden = pl.any_horizontal(hidden).fill_null(value=False) & pl.col(FORMER).is_not_null()
        broken = pl.when(is_hidden).then(was).otherwise(broken)
    if STANDS in rows.columns:
        broken = broken & ~pl.col(STANDS)
    return RowRule(rule.name, broken.fill_null(value=False), rule.severity, rule.keeps)


def _needs_only_tokens(rule: RowRule, column: str) -> bool:
    return rule.name in (f"{column}.required", f"{column}.reference", f"{column}.unique", REPEATED_KEY)


def _declared(shape: SchemaObject, stream: Stream) -> Iterator[RowRule]:
    """Rules of their own, over columns and over whole rows."""
    for column in shape.properties:
        text, is_missing = pl.col(TEXT + column.name), missing(stream, TEXT + column.name)
        for rule in column.quality:
            asked = rule.arguments
            match rule.metric:
                case "nullValues":
                    broken = is_missing
                case "duplicateValues":
                    broken = ~text.is_first_distinct() & ~is_missing
                case _ if asked.pattern:
                    broken = ~text.str.contains(asked.pattern) & ~is_missing
                case _:
                    broken = ~text.str.strip_chars().is_in(list(asked.validValues)) & ~is_missing
            yield RowRule(rule.id, broken, rule.severity, rule.keeps)
    for rule in shape.quality:
        if rule.metric == "duplicateValues":
            together = pl.struct(TEXT + name for name in rule.arguments.properties)
            yield RowRule(rule.id, ~together.is_first_distinct(), rule.severity, rule.keeps)
        elif rule.type == "sql":
            yield RowRule(rule.id, pl.sql_expr(rule.broken), rule.severity, rule.keeps)


def _related(shape: SchemaObject, references: References) -> Iterator[RowRule]:
    """Values that stand in no other column, though the contract says they do."""
    for column in shape.properties:
        for relation in column.relationships:
            known = references[relation.to]
            if column.identity is not None:
                value = pl.col(TOLD + column.name)
            elif column.logicalType == "integer":
                value, known = pl.col(column.name), known.cast(pl.Int64, strict=False)
            else:
                value = pl.when(pl.col(column.name).is_not_null()).then(
                    pl.col(TEXT + column.name).str.strip_chars()
                )
            broken = value.is_not_null() & ~value.is_in(known.implode())
            yield RowRule(f"{column.name}.reference", broken, relation.severity)


def _repeated(shape: SchemaObject, *, landed: bool) -> Iterator[RowRule]:
    """Rows whose key stood in an earlier row with other content: nobody can tell which one is right."""
    told = {p.name for p in shape.properties if p.identity is not None and landed}
    if shape.key:
        # Typed: 7 and 07 are one key. Without all of its parts it is required, and missing.
        parts = [pl.col(TOLD + name if name in told else name) for name in shape.key]
        has_key = pl.all_horizontal(part.is_not_null() for part in parts)
        yield RowRule(REPEATED_KEY, ~pl.struct(parts).is_first_distinct() & has_key)
    for column in shape.properties:
        if column.unique and shape.key != [column.name]:
            value = pl.col((TOLD if column.name in told else TEXT) + column.name)
            yield RowRule(f"{column.name}.unique", ~value.is_first_distinct() & value.is_not_null())
