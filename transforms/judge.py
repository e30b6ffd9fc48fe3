"""A delivery's rows held against every rule of their contract: who breaks what, and how each rule fared.

One rule that cannot be computed never hides what the others found: it is tried again on ever smaller
parts of the rows until only those are left on which it fails, and they count as broken.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from contracts.contract_rules import REPEATED_KEY, Severity
from contracts.deliveries import RuleResult
from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from transforms.conform import TEXT, missing, violations

TOLD = "token."
"""Prefix under which a row keeps the token of a column that tells a person."""
FORMER = "former"
"""Column of rows that come from landing, not from a file: the rules they broke then, or an empty text."""
STANDS = "stands"
"""Column that marks rows which keep the judgement they had: they are accepted."""
TOKEN = r"^(id|mail|tel)_[0-9a-f]{32}$"  # noqa: S105 - what a token looks like
_TRIES_MAX = 2_000
_FOUND = "found."
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
    made += [*_declared(shape, stream), *_related(shape, references)]
    made += _repeated(shape, stream, landed=landed)
    return [RowRule(r.name, r.broken.fill_null(value=False), r.severity, r.keeps) for r in made]


@dataclass(frozen=True)
class Found:
    """Which rows break which rule.

    Attributes:
        masks: One column a rule, under its name, without nulls; true for rows on which it cannot be computed.
        errors: Rules that could not be computed on some rows.
    """

    masks: pl.DataFrame
    errors: frozenset[str]


Find = Callable[[pl.DataFrame, Sequence[RowRule]], Found]
"""Says which rows break which rule, each rule for itself."""


def judge(
    rows: pl.DataFrame, rules: Sequence[RowRule], shape: SchemaObject, find: Find | None = None
) -> Judged:
    """Hold rows against rules.

    Rows from landing (with `FORMER`) have tokens where a person was told, and nothing where other
    personal values stood. A rule over those cannot be computed again: it is broken if it was.

    Args:
        rows: A conformed frame.
        rules: The rules.
        shape: The contract's schema.
        find: What says which rows break them; the rules' own expressions when absent.
    """
    found = (find or by_masks)(rows, rules)
    masks = _amended(found.masks, rules, shape, rows) if FORMER in rows.columns else found.masks
    counts = masks.sum().row(0) if masks.width else ()
    results = [
        _result(rule, int(count or 0), rows.height, rule.name in found.errors)
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


def by_masks(rows: pl.DataFrame, rules: Sequence[RowRule]) -> Found:
    """What the rules' own expressions say, in one query; one by one when a rule cannot be computed."""
    try:
        return Found(rows.select(rule.broken.alias(rule.name) for rule in rules), frozenset())
    except pl.exceptions.PolarsError:
        pass
    columns, errors = [], set[str]()
    for rule in rules:
        mask, is_whole = isolated(rows, rule)
        columns.append(mask)
        if not is_whole:
            errors.add(rule.name)
    return Found(pl.DataFrame(columns), frozenset(errors))


def isolated(rows: pl.DataFrame, rule: RowRule) -> tuple[pl.Series, bool]:
    """The rows that break one rule or on which it cannot be computed, and whether there are none of those."""
    mask, is_whole = _isolated(rows, rule.broken, [_TRIES_MAX])
    return mask.alias(rule.name), is_whole


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


def _amended(
    masks: pl.DataFrame, rules: Sequence[RowRule], shape: SchemaObject, rows: pl.DataFrame
) -> pl.DataFrame:
    """Masks over rows from landing: what cannot be judged again is broken if it was, what stands is sound."""
    beside = rows.hstack(masks.rename(_FOUND.__add__))
    return beside.select(_amended_rule(rule, shape, rows).alias(rule.name) for rule in rules)


def _amended_rule(rule: RowRule, shape: SchemaObject, rows: pl.DataFrame) -> pl.Expr:
    named = {name.removeprefix(TEXT).removeprefix(TOLD) for name in rule.broken.meta.root_names()}
    hidden = [
        pl.col(TEXT + p.name).is_null() if p.is_dropped else pl.col(TEXT + p.name).str.contains(TOKEN)
        for p in shape.properties
        if p.name in named and (p.is_dropped or p.identity) and not _needs_only_tokens(rule, p.name)
    ]
    broken = pl.col(_FOUND + rule.name)
    if hidden:
        was = pl.col(FORMER).str.split(", ").list.contains(rule.name)
        is_hidden = pl.any_horizontal(hidden).fill_null(value=False) & pl.col(FORMER).is_not_null()
        broken = pl.when(is_hidden).then(was).otherwise(broken)
    if STANDS in rows.columns:
        broken = broken & ~pl.col(STANDS)
    return broken.fill_null(value=False)


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


def _repeated(shape: SchemaObject, stream: Stream, *, landed: bool) -> Iterator[RowRule]:
    """Rows whose key stood in an earlier row with other content: nobody can tell which one is right."""
    told = {p.name for p in shape.properties if p.identity is not None and landed}
    if shape.key:
        # Typed: 7 and 07 are one key. Without all of its parts it is required, and missing.
        parts = [pl.col(TOLD + name if name in told else name) for name in shape.key]
        has_key = pl.all_horizontal(part.is_not_null() for part in parts)
        yield RowRule(REPEATED_KEY, ~pl.struct(parts).is_first_distinct() & has_key)
    for column in shape.properties:
        if column.unique and shape.key != [column.name]:
            # Of a person only tokens are there for every row; a missing value has none.
            name = (TOLD if column.name in told else TEXT) + column.name
            is_repeated = ~pl.col(name).is_first_distinct() & ~missing(stream, name)
            yield RowRule(f"{column.name}.unique", is_repeated)
