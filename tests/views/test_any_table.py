"""A table in the terminal shows the columns it has room for, and says that there are more."""

import polars as pl
import pytest

from views.terminal import any_table, fitting

WIDE = pl.DataFrame({"a": ["x" * 30], "metric": ["csat"], "b": ["y" * 200], "verdict": ["missed"]})


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (1, ["metric"]),  # one at least
        (20, ["metric", "verdict"]),
        (55, ["a", "metric", "verdict"]),  # 1 + 9 + 10 + 33
        (95, ["a", "metric", "verdict"]),
        (96, ["a", "metric", "b", "verdict"]),  # a long text counts as 40
    ],
)
def test_what_people_ask_for_first_is_shown_first(width: int, shown: list[str]):
    assert fitting(WIDE, 10, width) == shown


def test_what_is_left_out_is_said():
    assert "3 more columns" in str(any_table(WIDE.select("metric"), "t", 10, 3).caption)
    assert any_table(WIDE, "t", 10).caption is None
