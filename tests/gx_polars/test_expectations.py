"""The five expectations that the package adds."""

from datetime import date

import polars as pl
import pytest
from pydantic.v1 import ValidationError

from contracts.gx_polars import (
    ExpectColumnValuesToBeCastable,
    ExpectColumnValuesToBeInReference,
    ExpectRowsToRepeatNothing,
    ExpectRowsToSatisfy,
    ExpectTableSchemaToBe,
    Subject,
)
from tests.gx_polars.conftest import Validate, error_of

FRAME = pl.DataFrame({"a": [1, 2, None], "b": [1, 1, 1], "word": ["x", None, "z"]})


def test_value_has_to_occur_in_the_reference(validate: Validate):
    subject = Subject(FRAME, {"words": pl.Series(["x", "y", None, "x"])})
    (result,) = validate(subject, ExpectColumnValuesToBeInReference(column="word", reference="words"))
    assert not result.success
    assert result.result["unexpected_list"] == ["z"]
    assert result.result["missing_count"] == 1


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ({}, "reference 'words' is unknown; known are: none"),
        ({"words": pl.Series([1])}, "reference 'words' is Int64, column 'word' is String"),
    ],
)
def test_reference_has_to_be_known_and_of_the_same_type(references, said, validate: Validate):
    subject = Subject(FRAME, references)
    (result,) = validate(subject, ExpectColumnValuesToBeInReference(column="word", reference="words"))
    assert said in (error_of(result) or "")


def test_row_on_which_the_predicate_is_null_does_not_satisfy_it(validate: Validate):
    strict, lenient = validate(
        FRAME,
        ExpectRowsToSatisfy(expression="a > b"),
        ExpectRowsToSatisfy(expression="a >= b OR a IS NULL", mostly=0.9),
    )
    assert strict.result["unexpected_index_list"] == [0, 2]
    assert strict.result["unexpected_list"] == [{"a": 1, "b": 1}, {"a": None, "b": 1}]
    assert lenient.success


def test_predicate_over_one_column_is_one_too(validate: Validate):
    (result,) = validate(FRAME, ExpectRowsToSatisfy(expression="a = 2"))
    assert result.result["unexpected_list"] == [{"a": 1}, {"a": None}]


@pytest.mark.parametrize("expression", ["1 = 1", "a >"])
def test_predicate_without_a_column_or_without_sense_is_refused(expression: str):
    with pytest.raises((ValidationError, pl.exceptions.PolarsError)):
        ExpectRowsToSatisfy(expression=expression)


@pytest.mark.parametrize(
    ("dtypes", "extra", "success"),
    [
        ({"a": "Int64", "b": "Int64", "word": "String"}, False, True),
        ({"a": "Int64"}, False, False),
        ({"a": "Int64"}, True, True),
        ({"a": "Int32"}, True, False),
        ({"nope": "Int32"}, True, False),
    ],
)
def test_schema_has_to_be_exactly_so(dtypes: dict[str, str], extra: bool, success: bool, validate: Validate):
    (result,) = validate(FRAME, ExpectTableSchemaToBe(dtypes=dtypes, allow_extra=extra))
    assert result.success is success


@pytest.mark.parametrize(
    ("values", "dtype", "formats", "unexpected"),
    [
        (["1", " 2", "x", None], "Int64", (), [" 2", "x"]),
        (["1.5", "-0", "1e3", "one"], "Float64", (), ["one"]),
        (["2024-02-29", "2023-02-29", None], "Date", (), ["2023-02-29"]),
        (["29.02.2024", "2024-02-29", "soon"], "Date", ("%d.%m.%Y", "%Y-%m-%d"), ["soon"]),
        (["2024-02-29T10:00:00", "10 o'clock"], "Datetime", ("%Y-%m-%dT%H:%M:%S",), ["10 o'clock"]),
        ([1, 300, None], "UInt8", (), [300]),
    ],
)
def test_value_has_to_survive_the_cast(values, dtype, formats, unexpected, validate: Validate):
    rule = ExpectColumnValuesToBeCastable(column="v", dtype=dtype, formats=formats)
    for frame in (pl.DataFrame({"v": values}), pl.LazyFrame({"v": values})):
        (result,) = validate(frame, rule)
        assert result.result["unexpected_list"] == unexpected


def test_unknown_type_is_refused_with_those_known():
    with pytest.raises(ValidationError, match="Write one of Int8"):
        ExpectColumnValuesToBeCastable(column="v", dtype="int")


def test_days_are_compared_as_days(validate: Validate):
    import great_expectations.expectations as gxe

    frame = pl.DataFrame({"day": [date(2024, 1, 1), date(2024, 1, 2)]})
    newest, between = validate(
        frame,
        gxe.ExpectColumnMaxToBeBetween(column="day", min_value="2024-01-02"),
        gxe.ExpectColumnValuesToBeBetween(column="day", max_value="2024-01-01"),
    )
    assert newest.success
    assert between.result["unexpected_list"] == [date(2024, 1, 2)]


REPEATS = pl.DataFrame({"a": [1, 1, 2, None, None, 1], "b": ["x", "x", "x", "y", "y", "z"]})


@pytest.mark.parametrize("form", [pl.DataFrame.lazy, lambda frame: frame], ids=["lazy", "eager"])
@pytest.mark.parametrize(
    ("columns", "ignored", "broken"),
    [
        (["a"], "any_value_is_missing", [1, 5]),
        (["a"], "never", [1, 4, 5]),
        (["a", "b"], "any_value_is_missing", [1]),
        (["a", "b"], "never", [1, 4]),
        (["b"], "never", [1, 2, 4]),
    ],
)
def test_first_row_of_a_key_keeps_the_rule(form, columns, ignored, broken, validate: Validate):
    rule = ExpectRowsToRepeatNothing(column_list=columns, ignore_row_if=ignored)
    subject = Subject(form(REPEATS))
    (result,) = validate(subject, rule)
    assert result.result["unexpected_index_list"] == broken
    assert subject.unexpected(rule).arg_true().to_list() == broken


@pytest.mark.parametrize(
    ("tolerance", "success"),
    [
        ({"at_most": 2}, True),
        ({"at_most": 2, "is_strict": True}, False),
        ({"at_most": 1}, False),
        ({"at_most": 50, "unit": "percent"}, True),
        ({"at_most": 50, "unit": "percent", "is_strict": True}, False),
        ({"at_most": 49.9, "unit": "percent"}, False),
        ({"mostly": 0.5}, True),
        ({"mostly": 0.6}, False),
    ],
)
def test_two_of_four_rows_are_tolerated_or_not(tolerance, success, validate: Validate):
    frame = pl.DataFrame({"a": [1, 1, 9, 9], "b": [1, 1, 1, 2]})
    satisfied, repeated = validate(
        frame,
        ExpectRowsToSatisfy(expression="a < 5", **tolerance),
        ExpectRowsToRepeatNothing(column_list=["a"], ignore_row_if="never", **tolerance),
        result_format="BOOLEAN_ONLY",
    )
    assert (satisfied.success, repeated.success) == (success, success)
