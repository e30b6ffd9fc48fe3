"""Great Expectations' own published cases. `ANSWERABLE_GX_CASES` names the folder `tests/test_definitions`."""

import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from pydantic.v1 import ValidationError

from contracts.gx_polars.support import supported
from tests.gx_polars.parity import Engines
from tests.gx_polars.published import Case, cases, judge, mixed, named

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:.* parameter is deprecated as of GX Core:DeprecationWarning"
    ),  # cases use it
    pytest.mark.filterwarnings(
        "ignore:Could not infer format:UserWarning"
    ),  # dates of the cases, read by pandas
]
FOLDER = os.environ.get("ANSWERABLE_GX_CASES")
LEAST = 350
"""Cases that have to pass outright: fewer would mean that the reader no longer understands the files."""


@cache
def _sorted() -> tuple[Counter[str], list[str]]:
    """How many cases ended how, and those that nothing explains."""
    if FOLDER is None:
        pytest.skip("Great Expectations' published cases are not here: set ANSWERABLE_GX_CASES")
    engines, counts, unexplained = Engines(), Counter(), []
    for case in cases(Path(FOLDER)):
        ending = _ending(case, engines)
        counts[ending] += 1
        if ending.startswith("differs"):
            unexplained.append(f"{case}: {ending}")
    return counts, unexplained


def _ending(case: Case, engines: Engines) -> str:
    if "".join(word.capitalize() for word in case.kind.split("_")) not in supported():
        return "not supported"
    try:
        pandas, ours, between = judge(case, engines)
    except ValidationError:
        return "refused by the expectation itself, on every engine"
    reasons = {
        "passes": not ours,
        "the pandas engine of today differs likewise": pandas and not between,
        "a column of several types": mixed(case) & named(case),
        "a row condition in the words of pandas": isinstance(case.arguments.get("row_condition"), str),
        f"differs: {ours}": True,
    }
    return next(reason for reason, holds in reasons.items() if holds)


def test_published_cases_pass_or_are_explained():
    counts, unexplained = _sorted()
    assert unexplained == []
    assert counts["passes"] >= LEAST, counts


def test_explanations_stay_few():
    counts, _ = _sorted()
    assert counts["a column of several types"] <= 3, counts
    assert counts["a row condition in the words of pandas"] <= 8, counts
