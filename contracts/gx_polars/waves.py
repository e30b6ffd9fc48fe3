"""One wave: every mask in one query, every aggregate in one, keys by their hashes, samples in one.

A query that fails is halved until the expression that breaks it is found: the others keep their answers.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import polars as pl

from .answers import Aggregate, Condition, Rows
from .subject import ROW, Subject

T = TypeVar("T")


def run(
    subject: Subject, asked: dict[Hashable, Condition | Aggregate | Rows]
) -> tuple[dict[Hashable, object], dict[Hashable, Exception]]:
    """Answer everything that waits for a query.

    Args:
        subject: The data.
        asked: What each metric waits for.

    Returns:
        The answers, and what went wrong where there is none.
    """
    answers: dict[Hashable, object] = {}
    failures: dict[Hashable, Exception] = {}
    flat = {metric: one for metric, one in asked.items() if not isinstance(one, Rows) and not _is_key(one)}
    _isolate(list(flat.items()), lambda part: answers.update(_evaluate(subject, dict(part))), failures)
    for metric, one in asked.items():
        if isinstance(one, Condition) and one.keys is not None:
            try:
                one.mask = duplicated(subject, one.keys, one.where, spares_first=one.spares_first)
                answers[metric] = one
            except Exception as error:  # noqa: BLE001 - whatever breaks a rule is that rule's answer
                failures[metric] = error
    rows = [(metric, one) for metric, one in asked.items() if isinstance(one, Rows)]
    _isolate(rows, lambda part: answers.update(_take(subject, dict(part))), failures)
    return answers, failures


def _is_key(one: object) -> bool:
    return isinstance(one, Condition) and one.keys is not None


def _isolate(
    items: list[tuple[Hashable, T]],
    attempt: Callable[[Sequence[tuple[Hashable, T]]], None],
    failures: dict[Hashable, Exception],
) -> None:
    if not items:
        return
    try:
        attempt(items)
    except Exception as error:  # noqa: BLE001 - whatever breaks a rule is that rule's answer
        if len(items) == 1:
            failures[items[0][0]] = error
            return
        half = len(items) // 2
        _isolate(items[:half], attempt, failures)
        _isolate(items[half:], attempt, failures)


def _evaluate(subject: Subject, asked: dict[Hashable, Condition | Aggregate]) -> dict[Hashable, object]:
    conditions = [one for one in asked.values() if isinstance(one, Condition)]
    groups = [[one for one in conditions if one.looks_back is looks_back] for looks_back in (False, True)]
    aggregates = [(metric, one) for metric, one in asked.items() if isinstance(one, Aggregate)]
    parts = [part for _, one in aggregates for part in one.parts]
    selections = [*([one.unexpected for one in group] for group in groups), parts]
    wanted = [selection for selection in selections if selection]
    frame = subject.frame.lazy()
    found = iter(subject.collect_all([frame.select(_numbered(selection)) for selection in wanted]))
    for group in filter(None, groups):
        for one, mask in zip(group, next(found).iter_columns(), strict=True):
            one.mask = mask
    values = iter(next(found).row(0) if parts else ())
    answers = {metric: one.finish(*(next(values) for _ in one.parts)) for metric, one in aggregates}
    return answers | {metric: one for metric, one in asked.items() if isinstance(one, Condition)}


def _numbered(expressions: Sequence[pl.Expr]) -> list[pl.Expr]:
    return [expression.alias(str(number)) for number, expression in enumerate(expressions)]


def duplicated(
    subject: Subject, keys: Sequence[str], where: pl.Expr | None, *, spares_first: bool = False
) -> pl.Series:
    """Rows whose key occurs more than once, exactly.

    Keys are compared as 64-bit hashes first. Only when two hashes are equal are the rows behind them
    compared themselves, so a collision costs time and never a wrong answer.

    Args:
        subject: The data.
        keys: Columns that make up the key. Rows where a single key is null are left out; in a compound key
            nulls are equal to each other.
        where: Rows to look at; None for all.
        spares_first: Leave out the first row of each key; a single key that is null counts then, too.
    """
    first, *others = keys
    key = pl.col(first).hash(0)
    for seed, name in enumerate(others, 1):
        key = key ^ pl.col(name).hash(seed)
    has_nulls = bool(others) or spares_first
    inside = pl.lit(value=True) if has_nulls else pl.col(first).is_not_null()
    if where is not None:
        inside = inside & where
    if where is not None or not has_nulls:
        key = pl.when(inside).then(key)
    hashes = subject.collect(subject.frame.lazy().select(key)).to_series()
    nobody = pl.repeat(value=False, n=hashes.len(), dtype=pl.Boolean, eager=True)
    in_order = (
        hashes.drop_nulls().sort()
    )  # as fast as counting distinct hashes, and in a quarter of the memory
    repeated = in_order.filter(in_order == in_order.shift(1)).unique()
    if repeated.is_empty():
        return nobody
    suspects = hashes.is_in(repeated.implode()).fill_null(value=False).arg_true()
    rows = rows_of(subject, suspects, keys)
    exact = ~rows.to_struct().is_first_distinct() if spares_first else rows.is_duplicated()
    return nobody.scatter(suspects.filter(exact), values=True)


def rows_of(subject: Subject, rows: pl.Series, names: Sequence[str]) -> pl.DataFrame:
    """Rows of the subject by their ascending numbers."""
    if isinstance(subject.frame, pl.DataFrame):
        return subject.frame.select(names)[rows]
    numbered = subject.frame.select(names).with_row_index(ROW)
    wanted = rows.cast(numbered.collect_schema()[ROW])
    return subject.collect(numbered.filter(pl.col(ROW).is_in(wanted.implode()))).sort(ROW).drop(ROW)


def _take(subject: Subject, asked: dict[Hashable, Rows]) -> dict[Hashable, object]:
    if isinstance(subject.frame, pl.DataFrame):
        return {metric: one.finish(rows_of(subject, one.rows, one.names)) for metric, one in asked.items()}
    rows = pl.concat([one.rows for one in asked.values()]).unique().sort()
    names = list(dict.fromkeys(name for one in asked.values() for name in one.names))
    taken = rows_of(subject, rows, names)
    return {
        metric: one.finish(taken.select(one.names)[rows.search_sorted(one.rows)])
        for metric, one in asked.items()
    }
