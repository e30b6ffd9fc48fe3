"""Published numeric cases, to their printed digits. Each test names its case; more come with more metrics."""

import json
from pathlib import Path

import polars as pl
import pytest

from transforms.decompose import split_change
from transforms.intervals import adjusted_wald_nps, wilson, z_of
from transforms.quantiles import interpolated

pytestmark = pytest.mark.shared


def case(shared: Path, name: str) -> dict:
    """One published case."""
    return json.loads((shared / f"golden/{name}.json").read_text())


def test_prop_01_newcombe_single_a(shared: Path):
    published = case(shared, "prop_01_newcombe_single_a")
    for fraction, expected in published["expected"].items():
        good, n = map(int, fraction.split("/"))
        low, high = wilson(pl.lit(good), pl.lit(n), z_of(published["inputs"]["conf"]))
        found = pl.select(low.alias("low"), high.alias("high")).row(0)
        assert found == pytest.approx(expected["wilson"], abs=published["tolerance"]["abs"])
        assert (found[0] == 0) == (good == 0), "exactly zero at none"


def test_nps_04_adjusted_wald(shared: Path):
    published = case(shared, "nps_04_adjusted_wald")
    samples, expected = published["inputs"]["samples_pro_det_n"], published["expected"]["point_lo_hi"]
    for (promoters, detractors, n), (_, low, high) in zip(samples, expected, strict=True):
        ends = adjusted_wald_nps(pl.lit(promoters), pl.lit(detractors), pl.lit(n), z_of(0.95))
        found = pl.select(ends[0].alias("low"), ends[1].alias("high")).row(0)
        assert found == pytest.approx((100 * low, 100 * high), abs=100 * published["tolerance"]["abs"])


def test_quantile_01_nist(shared: Path):
    published = case(shared, "quantile_01_nist")
    values = published["inputs"]["values"]
    ordered = pl.LazyFrame({"ordered": [sorted(values)], "n": [len(values)]})
    found = ordered.select(interpolated(pl.col("ordered").list, published["inputs"]["p"])).collect().item()
    assert found == pytest.approx(published["expected"]["hyndman_fan_7"], abs=published["tolerance"]["abs"])


def test_nps_01_categories(shared: Path):
    from contracts.tables import ScorecardCompany
    from tests.spec.pipeline import a_map, score

    published = case(shared, "nps_01_categories")
    rows = [f"2026-03-03 09:00 | {given}" for given in published["inputs"]["scores"]]
    scored = score("\n".join(["occurred_at | score", *rows]), a_map("{id: nps, name: NPS, estimator: nps}"))
    row = scored.card(ScorecardCompany, period="to_date", metric="nps").row(0, named=True)
    categories = list(published["expected"]["category"].values())
    found = (row["promoters"], row["passives"], row["detractors"], row["excluded_count"])
    assert found == tuple(categories.count(word) for word in ("promoter", "passive", "detractor", None))


def test_decomp_02_kitagawa_mix_rate(shared: Path):
    published = case(shared, "decomp_02_kitagawa_mix_rate")
    given = pl.DataFrame(published["inputs"]).cast(pl.Float64)
    parts = given.select(
        key=pl.lit("all"),
        weight_before="size_0",
        weight_after="size_1",
        total_before=pl.col("size_0") * pl.col("rate_0"),
        total_after=pl.col("size_1") * pl.col("rate_1"),
        held_before=True,
        held_after=True,
    )
    found = split_change(parts.lazy(), ["key"]).collect().row(0, named=True)
    expected, within = published["expected"], published["tolerance"]["abs"]
    assert (found["rate"], found["mix"]) == pytest.approx((expected["rate"], expected["mix"]), abs=within)
    assert found["after"] - found["before"] == pytest.approx(expected["total"], abs=within)
