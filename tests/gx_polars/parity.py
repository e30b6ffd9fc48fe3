"""Random frames and expectations, and what two of Great Expectations' engines say of them."""

import json
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import polars as pl
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.row_conditions import Column

from contracts.gx_polars import PolarsDatasource, Subject

FORMATS = ("BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE")
HEIGHTS = (0, 1, 2, 3, 7, 20, 60)
NUMBERS = ("whole", "sparse", "small", "real", "holed")
TEXTS = ("word", "name")
INSTANTS = ("at", "zoned")
START = datetime(2024, 1, 1, tzinfo=UTC)


def frame_of(draw: random.Random) -> pl.DataFrame:
    """A frame of every type that both engines can hold, with nulls, NaN and duplicates."""
    height = draw.choice(HEIGHTS)
    share = draw.choice((0.0, 0.1, 0.5, 1.0))

    def column(one: Callable[[], object], dtype: pl.DataType, *, nulls: bool = True) -> pl.Series:
        values = [None if nulls and draw.random() < share else one() for _ in range(height)]
        return pl.Series(values, dtype=dtype, strict=False)

    def instant() -> datetime:
        return START + timedelta(hours=draw.randrange(0, 96, 6))

    texts = ("", "a", "ab", "b1", "abc", "Zebra", "ß", "é1", "12", "x y")
    return pl.DataFrame(
        {
            "whole": column(lambda: draw.randint(-3, 6), pl.Int64(), nulls=False),
            "sparse": column(lambda: draw.randint(0, 5), pl.Int64()),
            "small": column(lambda: draw.randint(-2, 4), pl.Int8(), nulls=False),
            "real": column(lambda: draw.choice((-1.5, 0.0, 0.25, 1.0, 2.5, 7.0)), pl.Float64(), nulls=False),
            "holed": column(lambda: draw.choice((0.0, 1.0, 2.0, 3.5, math.nan)), pl.Float64()),
            "word": column(lambda: draw.choice(texts), pl.String(), nulls=False),
            "name": column(lambda: draw.choice(texts), pl.String()),
            "flag": column(lambda: draw.random() < 0.5, pl.Boolean(), nulls=False),
            "day": column(lambda: date(2024, 1, draw.randint(1, 6)), pl.Date()),
            "at": column(lambda: instant().replace(tzinfo=None), pl.Datetime("ns")),
            "zoned": column(instant, pl.Datetime("ns", "UTC")),
            "json": column(
                lambda: draw.choice(('{"a": 1}', "[1, 2]", "3", "{", "x", '{"b": "t"}')), pl.String()
            ),
            "valid_json": column(lambda: draw.choice(('{"a": 1}', "[1]", '{"a": "x"}', "3")), pl.String()),
            "stamp": column(
                lambda: draw.choice(("2024-01-02", "2024-02-30", "3 May 2024", "noon", "")), pl.String()
            ),
        }
    )


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """The same frame for pandas. Days stay days: pandas has no type for them."""
    return frame.to_pandas().assign(day=pd.Series(frame["day"].to_list(), dtype=object))


class Draw:
    """Draws one expectation at a time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.choice = self.random.choice

    def some(self, values: list[Any], most: int = 4) -> list[Any]:
        return self.random.sample(values, self.random.randint(0, min(most, len(values))))

    def value(self, column: str) -> Any:
        """A value that may stand in a column, or be compared with it."""
        if column in ("whole", "sparse", "small"):
            return self.choice((-2, 0, 1, 2, 3, 5, 2.5, 200))
        if column in ("real", "holed"):
            return self.choice((-1.5, 0.0, 0.25, 1, 2, 2.5, 3.5, 7.0))
        if column in TEXTS:
            return self.choice(("", "a", "ab", "b1", "abc", "ß", "12", "zz"))
        if column == "flag":
            return self.choice((True, False))
        if column == "day":
            return date(2024, 1, self.random.randint(1, 6))
        moment = START + timedelta(hours=self.random.randrange(0, 96, 6))
        return moment if column == "zoned" else moment.replace(tzinfo=None)

    def bounds(self, column: str) -> dict[str, Any]:
        low, high = sorted((self.value(column), self.value(column)))
        kept = self.choice(({"min_value": low}, {"max_value": high}, {"min_value": low, "max_value": high}))
        return kept | {"strict_min": self.choice((True, False)), "strict_max": self.choice((True, False))}

    def span(self) -> dict[str, Any]:
        low, high = sorted((self.choice((-1, 0, 0.5, 1, 2)), self.choice((0, 0.25, 1, 2.5, 5, 40))))
        strict = {"strict_min": self.choice((True, False)), "strict_max": self.choice((True, False))}
        return (
            self.choice(({"min_value": low}, {"max_value": high}, {"min_value": low, "max_value": high}))
            | strict
        )

    def condition(self) -> dict[str, Any]:
        """Sometimes a row condition."""
        if self.random.random() < 0.65:
            return {}
        one = [
            Column("whole") >= 1,
            Column("sparse") != 2,
            Column("sparse").is_null(),
            Column("name").is_not_null(),
            Column("word") == "ab",
            Column("whole").is_in([1, 2, 3]),
            Column("sparse").is_not_in([1, 2]),
            Column("holed") < 2,
        ]
        a, b = self.random.sample(one, 2)
        return {"row_condition": self.choice((a, a & b, a | b))}

    def row(self) -> dict[str, Any]:
        """What every row expectation takes."""
        mostly = self.choice((1, 1, 1, 0.0, 0.5, 0.9))
        return {"mostly": mostly} | self.condition()


REGEXES = ("^a", "b", r"\d+$", "^$", "[A-Z]", "x y", "^..$", "é|ß")
ORDERED = (*NUMBERS, *INSTANTS)
ANY = (*NUMBERS, *TEXTS, *INSTANTS, "flag", "day")
SCHEMA = '{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}'


def _between(d: Draw) -> dict[str, Any]:
    column = d.choice((*NUMBERS, *INSTANTS, "day", "flag"))
    given = d.bounds(column)
    if column == "at" and d.random.random() < 0.3:
        given = {
            key: value.isoformat() if isinstance(value, datetime) else value for key, value in given.items()
        }
    return {"column": column} | given | d.row()


def _set(d: Draw, columns: tuple[str, ...] = ANY) -> dict[str, Any]:
    column = d.choice(columns)
    return {"column": column, "value_set": [d.value(column) for _ in range(d.random.randint(1, 5))]}


def _strict_order(d: Draw) -> dict[str, Any]:
    return {"column": d.choice(ORDERED), "strictly": d.choice((True, False, None))} | d.row()


def _pair(d: Draw) -> dict[str, Any]:
    a, b = d.choice(
        (("whole", "sparse"), ("real", "holed"), ("word", "name"), ("sparse", "holed"), ("whole", "real"))
    )
    ignore = d.choice(("both_values_are_missing", "either_value_is_missing", "neither"))
    return {"column_A": a, "column_B": b, "ignore_row_if": ignore, "mostly": d.choice((1, 0.5))}


def _pairs(d: Draw) -> dict[str, Any]:
    given = _pair(d)
    pairs = [
        (d.choice((d.value(given["column_A"]), None)), d.choice((d.value(given["column_B"]), None)))
        for _ in range(4)
    ]
    return given | {"value_pairs_set": pairs}


def _many(d: Draw, pools: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    pool = d.choice(pools)
    names = d.random.sample(pool, d.random.randint(2, min(3, len(pool))))
    ignore = d.choice(("all_values_are_missing", "any_value_is_missing", "never"))
    return {"column_list": names, "ignore_row_if": ignore} | d.row()


def _aggregate(*columns: str) -> Callable[[Draw], dict[str, Any]]:
    return lambda d: {"column": d.choice(columns)} | d.span() | d.condition()


def _extreme(d: Draw) -> dict[str, Any]:
    column = d.choice((*NUMBERS, *INSTANTS))
    return {"column": column} | d.bounds(column) | d.condition()


def _quantiles(d: Draw) -> dict[str, Any]:
    shares = sorted(d.random.sample((0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0), 3))
    ranges = [sorted((d.choice((-1, 0, 1)), d.choice((0, 1, 2, 5)))) for _ in shares]
    how = d.choice((False, False, "linear", "lower", "higher", "midpoint", "nearest"))
    asked = {"quantiles": shares, "value_ranges": ranges}
    return {
        "column": d.choice(NUMBERS),
        "quantile_ranges": asked,
        "allow_relative_error": how,
    } | d.condition()


def _columns(d: Draw, names: tuple[str, ...] = ("whole", "name", "at", "nope")) -> list[str]:
    return d.some(list(names))


CASES: dict[str, Callable[[Draw], dict[str, Any]]] = {
    "ExpectColumnValuesToBeBetween": _between,
    "ExpectColumnValuesToBeInSet": lambda d: _set(d) | d.row(),
    "ExpectColumnValuesToNotBeInSet": lambda d: _set(d) | d.row(),
    "ExpectColumnValuesToNotBeNull": lambda d: {"column": d.choice((*ANY, "nope"))} | d.row(),
    "ExpectColumnValuesToBeNull": lambda d: {"column": d.choice(ANY)} | d.row(),
    "ExpectColumnValuesToBeUnique": lambda d: {"column": d.choice(ANY)} | d.row(),
    "ExpectColumnValuesToMatchRegex": lambda d: (
        {"column": d.choice((*TEXTS, "whole", "flag")), "regex": d.choice(REGEXES)} | d.row()
    ),
    "ExpectColumnValuesToNotMatchRegex": lambda d: (
        {"column": d.choice(TEXTS), "regex": d.choice(REGEXES)} | d.row()
    ),
    "ExpectColumnValuesToMatchRegexList": lambda d: (
        {
            "column": d.choice(TEXTS),
            "regex_list": [d.choice(REGEXES), d.choice(REGEXES)],
            "match_on": d.choice(("any", "all")),
        }
        | d.row()
    ),
    "ExpectColumnValuesToNotMatchRegexList": lambda d: (
        {
            "column": d.choice(TEXTS),
            "regex_list": [d.choice(REGEXES), d.choice(REGEXES)],
        }
        | d.row()
    ),
    "ExpectColumnValueLengthsToBeBetween": lambda d: (
        {"column": d.choice((*TEXTS, "whole"))}
        | d.choice(({"min_value": 1}, {"max_value": 2}, {"min_value": 1, "max_value": 3}))
        | {"strict_min": d.choice((True, False)), "strict_max": d.choice((True, False))}
        | d.row()
    ),
    "ExpectColumnValueLengthsToEqual": lambda d: (
        {"column": d.choice(TEXTS), "value": d.choice((0, 1, 2))} | d.row()
    ),
    "ExpectColumnValuesToBeIncreasing": _strict_order,
    "ExpectColumnValuesToBeDecreasing": _strict_order,
    "ExpectColumnValuesToBeJsonParseable": lambda d: {"column": d.choice(("json", "valid_json"))} | d.row(),
    "ExpectColumnValuesToMatchJsonSchema": lambda d: (
        {
            "column": d.choice(("valid_json", "valid_json", "json")),
            "json_schema": json.loads(SCHEMA),
        }
        | d.row()
    ),
    "ExpectColumnValuesToBeDateutilParseable": lambda d: {"column": d.choice(("stamp", "word"))} | d.row(),
    "ExpectColumnValuesToMatchStrftimeFormat": lambda d: (
        {
            "column": d.choice(("stamp", "word")),
            "strftime_format": d.choice(("%Y-%m-%d", "%d %B %Y")),
        }
        | d.row()
    ),
    "ExpectColumnValueZScoresToBeLessThan": lambda d: (
        {
            "column": d.choice(NUMBERS),
            "threshold": d.choice((0.5, 1, 2)),
            "double_sided": d.choice((True, False)),
        }
        | d.row()
    ),
    "ExpectColumnValuesToNotBeOutliers": lambda d: (
        {
            "column": d.choice(NUMBERS),
            "method": d.choice(("iqr", "std")),
            "multiplier": d.choice((0.5, 1.5)),
        }
        | d.row()
    ),
    "ExpectColumnPairValuesToBeEqual": lambda d: _pair(d) | d.condition(),
    "ExpectColumnPairValuesAToBeGreaterThanB": lambda d: (
        _pair(d) | {"or_equal": d.choice((True, False))} | d.condition()
    ),
    "ExpectColumnPairValuesToBeInSet": _pairs,
    "ExpectCompoundColumnsToBeUnique": lambda d: _many(
        d, (("whole", "name", "flag", "at"), ("sparse", "word", "holed"))
    ),
    "ExpectMulticolumnSumToEqual": lambda d: _many(d, (NUMBERS,)) | {"sum_total": d.choice((0, 1, 2.5, 4))},
    "ExpectMulticolumnValuesToBeEqual": lambda d: _many(d, (NUMBERS, TEXTS)),
    "ExpectSelectColumnValuesToBeUniqueWithinRecord": lambda d: _many(
        d, (NUMBERS, TEXTS, ("name", "sparse", "word"))
    ),
    "ExpectColumnMaxToBeBetween": _extreme,
    "ExpectColumnMinToBeBetween": _extreme,
    "ExpectColumnMeanToBeBetween": _aggregate(*NUMBERS),
    "ExpectColumnMedianToBeBetween": _aggregate(*NUMBERS),
    "ExpectColumnStdevToBeBetween": _aggregate(*NUMBERS),
    "ExpectColumnSumToBeBetween": _aggregate(*NUMBERS),
    "ExpectColumnUniqueValueCountToBeBetween": _aggregate(*ANY),
    "ExpectColumnProportionOfUniqueValuesToBeBetween": _aggregate(*ANY),
    "ExpectColumnProportionOfNonNullValuesToBeBetween": _aggregate(*ANY),
    "ExpectColumnDistinctValuesToBeInSet": lambda d: _set(d, (*NUMBERS, *TEXTS, "at", "day")) | d.condition(),
    "ExpectColumnDistinctValuesToContainSet": lambda d: (
        _set(d, (*NUMBERS, *TEXTS, "at", "day")) | d.condition()
    ),
    "ExpectColumnDistinctValuesToEqualSet": lambda d: (
        _set(d, (*NUMBERS, *TEXTS, "at", "day")) | d.condition()
    ),
    "ExpectColumnMostCommonValueToBeInSet": lambda d: (
        _set(d, (*NUMBERS, *TEXTS)) | {"ties_okay": d.choice((True, False))} | d.condition()
    ),
    "ExpectColumnQuantileValuesToBeBetween": _quantiles,
    "ExpectColumnToExist": lambda d: {
        "column": d.choice(("whole", "nope")),
        "column_index": d.choice((None, 0, 3)),
    },
    "ExpectTableColumnCountToEqual": lambda d: {"value": d.choice((3, 14))},
    "ExpectTableColumnCountToBeBetween": lambda d: d.choice(({"min_value": 3}, {"max_value": 10})),
    "ExpectTableColumnsToMatchOrderedList": lambda d: {"column_list": _columns(d)},
    "ExpectTableColumnsToMatchSet": lambda d: {
        "column_set": _columns(d),
        "exact_match": d.choice((True, False)),
    },
    "ExpectTableRowCountToEqual": lambda d: {"value": d.choice(HEIGHTS)} | d.condition(),
    "ExpectTableRowCountToBeBetween": lambda d: (
        d.choice(({"min_value": 2}, {"max_value": 20})) | d.condition()
    ),
}
"""How an expectation's arguments are drawn, by its class: every type that is supported and that pandas has."""


@dataclass(frozen=True)
class Difference:
    """One case on which two engines disagree.

    Attributes:
        case: The expectation's type and arguments.
        engine: Which of ours.
        what: The field.
        pandas: What pandas says.
        polars: What we say.
    """

    case: str
    engine: str
    what: str
    pandas: object
    polars: object


@contextmanager
def told_once() -> Iterator[None]:
    """Make the configuration of an expectation once, and hand out copies of it.

    Great Expectations makes it anew some seventy times a validation, of whichever engine: half the time that one takes.
    """
    anew = Expectation.configuration.fget
    made: dict[int, tuple[Expectation, ExpectationConfiguration]] = {}

    def configuration(expectation: Expectation) -> ExpectationConfiguration:
        if id(expectation) not in made:
            made[id(expectation)] = expectation, anew(expectation)
        found = copy(made[id(expectation)][1])
        found.kwargs, found.meta = dict(found.kwargs), dict(found.meta)
        return found

    with patch.object(Expectation, "configuration", property(configuration)):
        yield


class Engines:
    """One context with both datasources."""

    def __init__(self) -> None:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        context.enable_analytics(False)
        sources = context.data_sources
        polars = sources.add_polars("polars")
        assert isinstance(polars, PolarsDatasource)
        self._polars = polars.add_frame("frame").add_batch_definition_whole_dataframe("all")
        asset = sources.add_pandas("pandas").add_dataframe_asset("frame")
        self._pandas = asset.add_batch_definition_whole_dataframe("all")

    def pandas(self, frame: pl.DataFrame, suite: gx.ExpectationSuite, wanted: dict[str, Any]) -> list[Any]:
        return self.pandas_frame(to_pandas(frame), suite, wanted)

    def pandas_frame(
        self, frame: pd.DataFrame, suite: gx.ExpectationSuite, wanted: dict[str, Any]
    ) -> list[Any]:
        return self._pandas.get_batch({"dataframe": frame}).validate(suite, result_format=wanted).results

    def polars(
        self, frame: pl.DataFrame | pl.LazyFrame | Subject, suite: gx.ExpectationSuite, wanted: dict[str, Any]
    ) -> list[Any]:
        batch = self._polars.get_batch({"dataframe": frame})
        return batch.validate(suite, result_format=wanted).results


def suite_of(draw: Draw, size: int) -> gx.ExpectationSuite:
    """A suite of as many expectations of types in turn."""
    names = draw.random.sample(sorted(CASES), size)
    return gx.ExpectationSuite(
        "parity", expectations=[getattr(gxe, name)(**CASES[name](draw)) for name in names]
    )


def format_of(draw: Draw) -> dict[str, Any]:
    """A result format."""
    wanted: dict[str, Any] = {
        "result_format": draw.choice(FORMATS),
        "partial_unexpected_count": draw.choice((20, 3)),
    }
    if draw.random.random() < 0.3:
        wanted["unexpected_index_column_names"] = ["whole", "word"]
        wanted["exclude_unexpected_values"] = draw.choice((True, False))
    if wanted["result_format"] != "BOOLEAN_ONLY" and draw.random.random() < 0.2:
        wanted["include_unexpected_rows"] = True
    return wanted


def differences(engines: Engines, seed: int, size: int) -> Iterator[Difference]:
    """Every disagreement over one random frame and suite."""
    draw = Draw(seed)
    frame, suite, wanted = frame_of(draw.random), suite_of(draw, size), format_of(draw)
    with told_once():
        truth = by_key(engines.pandas(frame, suite, wanted))
        found = {
            engine: by_key(engines.polars(data, suite, wanted))
            for engine, data in (("eager", frame), ("lazy", frame.lazy()))
        }
    for engine, ours in found.items():
        assert ours.keys() == truth.keys()
        for key, one in truth.items():
            for what, left, right in disagreements(one, ours[key]):
                yield Difference(f"seed {seed}: {key} {wanted}", engine, what, left, right)


def by_key(results: list[Any]) -> dict[str, Any]:
    """Results by what was asked."""
    return {key_of(one.expectation_config): one for one in results}


def key_of(config: Any) -> str:
    """An expectation's type and arguments as text."""
    arguments = {key: config.kwargs[key] for key in sorted(config.kwargs) if key != "batch_id"}
    return f"{config.type} {arguments}"


UNLIKE = {"unexpected_index_query"}
"""Fields that tell how to find the rows in the engine's own language."""


def disagreements(theirs: Any, ours: Any) -> Iterator[tuple[str, object, object]]:
    """Fields in which two results differ."""
    broken = _raised(theirs), _raised(ours)
    if broken[0] != broken[1]:
        yield "raised", theirs.exception_info, ours.exception_info
        return
    if bool(theirs.success) != bool(ours.success):
        yield "success", theirs.success, ours.success
    for field in sorted((theirs.result.keys() | ours.result.keys()) - UNLIKE):
        left, right = plain(theirs.result.get(field)), plain(ours.result.get(field))
        if isinstance(left, list) and isinstance(right, list) and field != "observed_value":
            left, right = sorted(left, key=repr), sorted(right, key=repr)
        if field == "partial_unexpected_counts" and (_has_missing(left) or _has_missing(right)):
            continue  # pandas counts every NaN as a value of its own; the samples themselves are compared
        if not same(left, right):
            yield field, left, right


def _has_missing(counts: Any) -> bool:
    values = [one.get("value") for one in counts or ()]
    return any(value is None or (isinstance(value, list) and None in value) for value in values)


def _raised(result: Any) -> bool:
    info = result.exception_info or {}
    return any(one.get("raised_exception") for one in (info, *info.values()) if isinstance(one, dict))


def plain(value: Any) -> Any:
    """A result without the types of either engine: nothing for missing, floats for numbers, ISO for instants."""
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=repr)
    return _scalar(value)


def _scalar(value: Any) -> str | float | None:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime) or type(value).__name__ == "datetime64":
        return pd.Timestamp(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str) else float(value)


def same(left: object, right: object) -> bool:
    """Equal, numbers but for the order of their summation."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right
