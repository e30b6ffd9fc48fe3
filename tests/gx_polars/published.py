"""Great Expectations' own published test cases, read from a checkout of its repository.

They lie in `tests/test_definitions/*/*.json`: data sets, each with cases of arguments and expected results. The
cases were written for several engines and several years; where today's pandas engine itself no longer gives the
expected result, ours has to agree with that engine instead.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import polars as pl

from tests.gx_polars.parity import Engines, disagreements, plain, same

_TO_INSTANT = {"datetime", "datetime64", "datetime64[ns]", "timestamp", "datetime64[ns, tz]"}
_ZONED = {"timestamp", "datetime64[ns, tz]"}


@dataclass(frozen=True)
class Case:
    """One published case.

    Attributes:
        kind: The expectation's type.
        title: The case's title.
        data: Values by column.
        types: Types by column, in pandas' words.
        arguments: What the expectation is given.
        expected: What is expected of the result.
    """

    kind: str
    title: str
    data: dict[str, list[Any]]
    types: dict[str, str]
    arguments: dict[str, Any]
    expected: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


def cases(folder: Path) -> Iterator[Case]:
    """Every case that its authors meant for pandas."""
    for file in sorted(folder.glob("*/*.json")):
        written = json.loads(file.read_text(encoding="utf-8"))
        for data in written["datasets"]:
            if not isinstance(data["data"], dict) or not _for_pandas(data):
                continue
            keyed = "map_expectations" in file.parent.name
            for test in data["tests"]:
                if _for_pandas(test) and isinstance(test["in"], dict):
                    values = dict(data["data"])
                    if keyed:
                        values["pk_index"] = list(range(len(next(iter(values.values())))))
                    types = (data.get("schemas") or {}).get("pandas", {})
                    yield Case(
                        written["expectation_type"], test["title"], values, types, test["in"], test["out"]
                    )


def _for_pandas(written: dict[str, Any]) -> bool:
    only, never = _words(written.get("only_for")), _words(written.get("suppress_test_for"))
    meant = not only or any(word.startswith("pandas") and not word.startswith("pandas_02") for word in only)
    return meant and not any(word.startswith("pandas") for word in never)


def _words(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def pandas_of(case: Case) -> pd.DataFrame:
    """The data as the authors' own harness makes it."""
    frame = pd.DataFrame(case.data)
    for name, dtype in case.types.items():
        if dtype.lower() in _TO_INSTANT:
            frame[name] = pd.to_datetime(frame[name], utc=dtype.lower() in _ZONED)
        elif dtype.lower() == "date":
            frame[name] = pd.to_datetime(frame[name]).dt.date
        elif name in frame:
            frame[name] = frame[name].astype(getattr(pd, dtype)() if dtype.endswith("Dtype") else dtype)
    return frame


def mixed(case: Case) -> set[str]:
    """Columns that hold values of several types: no column of polars can."""
    found = set()
    for name, values in case.data.items():
        kinds = {
            float if isinstance(one, int | float) and not isinstance(one, bool) else type(one)
            for one in values
        }
        if len(kinds - {type(None)}) > 1:
            found.add(name)
    return found


def polars_of(case: Case) -> pl.DataFrame:
    """The same data for polars; mixed columns as text."""
    frame = pandas_of(case)
    columns = []
    for name, values in case.data.items():
        if str(frame[name].dtype).startswith("datetime64") or case.types.get(name, "").lower() == "date":
            columns.append(pl.Series(name, [None if pd.isna(one) else one for one in frame[name]]))
        elif name in mixed(case):
            columns.append(
                pl.Series(name, [None if one is None else str(one) for one in values], dtype=pl.String)
            )
        else:
            columns.append(pl.Series(name, values, strict=False))
    return pl.DataFrame(columns)


def named(case: Case) -> set[str]:
    """Columns that a case is about."""
    given = case.arguments
    one = {given.get(key) for key in ("column", "column_A", "column_B")}
    return {*one, *(given.get("column_list") or ())} - {None}


def judge(case: Case, engines: Engines) -> tuple[list[str], list[str], list[str]]:
    """What today's pandas engine and ours make of a case.

    Returns:
        Where pandas differs from what is expected, where ours does, and where ours differs from pandas.
    """
    arguments = {
        key: value
        for key, value in case.arguments.items()
        if key not in ("catch_exceptions", "result_format")
    }
    kind = "".join(word.capitalize() for word in case.kind.split("_"))
    suite = gx.ExpectationSuite("published", expectations=[getattr(gxe, kind)(**arguments)])
    wanted: dict[str, Any] = {"result_format": "COMPLETE"}
    if "pk_index" in case.data:
        wanted["unexpected_index_column_names"] = ["pk_index"]
    theirs = engines.pandas_frame(pandas_of(case), suite, wanted)[0]
    ours = engines.polars(polars_of(case), suite, wanted)[0]
    between = [f"{what}: pandas {left}, ours {right}" for what, left, right in disagreements(theirs, ours)]
    return list(_unmet(case.expected, theirs)), list(_unmet(case.expected, ours)), between


def _unmet(expected: dict[str, Any], result: Any) -> Iterator[str]:
    found = result.to_json_dict()
    for key, value in expected.items():
        if key == "success" and bool(found["success"]) != bool(value):
            yield f"success is {found['success']}, expected {value}"
        elif key == "traceback_substring" and value not in json.dumps(found["exception_info"]).replace(
            '\\"', '"'
        ):
            yield f"no {value!r} in the error"
        elif key in ("observed_value", "unexpected_list", "unexpected_index_list"):
            given = found["result"].get(key)
            left, right = _sorted(plain(value), key), _sorted(plain(given), key)
            if key == "unexpected_index_list" and not (given and isinstance(given[0], dict)):
                continue  # as in the authors' own harness
            if not same(left, right):
                yield f"{key} is {given}, expected {value}"


def _sorted(value: Any, key: str) -> Any:
    return sorted(value, key=repr) if isinstance(value, list) and key != "observed_value" else value
