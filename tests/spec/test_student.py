"""# Student's t and the normal tail

Closed forms for whole degrees of freedom, as scipy has them.
"""

import numpy as np
import polars as pl
import pytest
from scipy import special

from transforms.intervals import t_quantiles
from transforms.methods import student
from transforms.methods.distributions import normal_tail, student_quantile, student_tail


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_quantiles_are_scipys_to_thirteen_digits(confidence: float):
    degrees = np.concatenate([np.arange(1, 5001), [10_000, 10**6, 10**9]])
    expected = special.stdtrit(degrees.astype(float), (1 + confidence) / 2)
    np.testing.assert_allclose(student.quantile(degrees, confidence), expected, rtol=1e-13)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 24, 25, 99, 200])
def test_tails_are_scipys_to_fourteen_places(degrees: int):
    t = np.linspace(-60, 60, 4001)
    found = student.tail(t, np.full(t.shape, degrees))
    np.testing.assert_allclose(found, special.stdtr(degrees, -t), rtol=0, atol=1e-14)


def test_a_tail_is_a_share_however_far_out():
    t = np.concatenate([np.linspace(-60, 60, 4001), [-1e300, -1e9, 1e9, 1e300]])
    for degrees in range(1, student.MOST_TERMS + 1):
        found = student.tail(t, np.full(t.shape, degrees))
        assert found.min() >= 0, degrees
        assert found.max() <= 1, degrees


def test_printed_quantiles():
    """Abramowitz and Stegun 1964, table 26.10."""
    found = student.quantile(np.array([1, 2, 3, 10, 30, 120]), 0.95)
    assert [round(one, 3) for one in found] == [12.706, 4.303, 3.182, 2.228, 2.042, 1.980]


def test_the_normal_tail_keeps_its_digits_far_out():
    z = np.linspace(-10, 20, 401)
    np.testing.assert_allclose(student.normal_tail(z), special.ndtr(-z), rtol=1e-12)


def test_what_is_not_defined_is_null():
    frame = pl.DataFrame({"t": [1.0, None, 2.5, 1.0, float("inf")], "degrees": [0.0, 3.0, 2.5, None, 4.0]})
    found = frame.select(
        tail=student_tail(pl.col("t"), pl.col("degrees")),
        quantile=student_quantile(pl.col("degrees"), 0.975),
        normal=normal_tail(pl.col("t")),
    )
    assert found["tail"].is_null().to_list() == [True, True, False, True, False]
    assert found["tail"][2] == pytest.approx(special.stdtr(2.5, -2.5))
    assert found["tail"][4] == 0
    assert found["quantile"].is_null().to_list() == [True, False, False, True, False]
    assert found["normal"].is_null().to_list() == [False, True, False, False, False]
    assert t_quantiles(pl.Series([None, 0, 1]), 0.95).is_null().to_list() == [True, True, False]


def test_a_run_that_scores_means_loads_no_scipy():
    import subprocess
    import sys

    from tests.conftest import ROOT

    code = """
import sys
import polars as pl
from transforms.intervals import t_quantiles
from transforms.methods.distributions import normal_tail, student_tail
frame = pl.DataFrame({"t": [1.5, -2.0], "degrees": [3, 12]})
frame.select(student_tail(pl.col("t"), pl.col("degrees")), z=normal_tail(pl.col("t")))
t_quantiles(frame["degrees"], 0.95)
print("scipy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
