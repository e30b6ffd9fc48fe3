"""Durations: whole units exact, and the same last digit however a frame is cut."""

import polars as pl
import pytest

from transforms.durations import HOUR, MINUTE, in_units


@pytest.mark.parametrize("unit", [MINUTE, HOUR])
def test_whole_units_are_exact(unit: int):
    whole = pl.DataFrame({"us": [n * unit for n in (-30_000, -1, 0, 1, 3, 7, 24, 99_999)]})
    assert whole.select(in_units(pl.col("us"), unit))["us"].to_list() == [-30_000, -1, 0, 1, 3, 7, 24, 99_999]


def test_a_value_is_the_same_alone_and_among_others():
    values = pl.DataFrame({"us": [97 * n * n + 1 for n in range(2_000)]})
    together = values.select(in_units(pl.col("us"), HOUR))["us"]
    alone = [values[i : i + 1].select(in_units(pl.col("us"), HOUR)).item() for i in range(values.height)]
    assert together.to_list() == alone
    by_division = [values[i : i + 1].select(pl.col("us") / HOUR).item() for i in range(values.height)]
    assert alone == pytest.approx(by_division, rel=1e-15)
