"""Families of cases about processes: charts, rules over their points, run lengths."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from tests.golden.case import Case
from transforms.methods import charts, drift, run_lengths
from transforms.methods.run_rules import RULE_SETS, RunRule, signals

Found = Mapping[str, Any]
Chart = Callable[[pl.LazyFrame, Sequence[str]], pl.LazyFrame]
SERIES = ["series"]


def _out(points: pl.DataFrame) -> list[int]:
    marked = signals(points.lazy(), SERIES, RULE_SETS["western_electric"][:1]).collect()["beyond_limit"]
    return [place for place, is_out in enumerate(marked.to_list(), start=1) if is_out]


def _told(points: pl.DataFrame) -> dict[str, Any]:
    """A chart's figures: one number where all points share it, else a list."""
    found: dict[str, Any] = {"out": _out(points), "points_out": len(_out(points))}
    for name in ("centre", "limit_low", "limit_high", "sigma"):
        values = points[name].to_list()
        same = max(values) - min(values) <= 1e-12 * max(1.0, abs(values[0]))
        found[name.removeprefix("limit_")] = values[0] if same else values
    found["first"] = [points["limit_low"][0], points["limit_high"][0]]
    return found


def counted(chart: Chart) -> Callable[[Case], Found]:
    """A chart of counts, with what is left when explained points are excluded."""

    def compute(case: Case) -> Found:
        count = case.given("nonconforming", "counts", "defects", "r", "x", "d")
        n = case.given("n", "sizes", "size", default=1)
        sizes = n if isinstance(n, list) else [n] * len(count)
        points = pl.DataFrame({"series": "one", "count": count, "n": sizes})
        trial = _told(chart(points.lazy(), SERIES).collect())
        explained = case.given("exclude", "excluded", default=[])
        kept = pl.int_range(1, pl.len() + 1).is_in(explained).not_().alias("in_baseline")
        revised = _told(chart(points.lazy().with_columns(kept), SERIES).collect())
        return {**trial, "trial": trial, "revised": revised}

    return compute


def laney(case: Case) -> Found:
    """The plain and Laney's chart of the same counts, of shares or of rates."""
    count, n = case.given("r", "counts", "x", "nonconforming"), case.given("n", "sizes")
    points = pl.LazyFrame({"series": "one", "count": count, "n": n})
    is_rate = case.method("u'", "u chart", "u prime") or any(name.startswith("u") for name in case.expected)
    plain, wide = (
        (charts.u_chart, charts.laney_u_chart) if is_rate else (charts.p_chart, charts.laney_p_chart)
    )
    letter = "u" if is_rate else "p"
    before, after = (chart(points, SERIES).collect() for chart in (plain, wide))
    named = {letter: _told(before), f"{letter}prime": _told(after)}
    flat = {f"{chart}_{name}": value for chart, told in named.items() for name, value in told.items()}
    return {"centre": before["centre"][0], "sigma_z": after["sigma_z"][0], **named, **flat, **_told(after)}


def individuals(case: Case) -> Found:
    """Individuals and moving ranges; the constants are the source's own."""
    if "values" not in case.inputs:
        return _constants(case.given("subgroup", default=2))
    points = pl.LazyFrame({"series": "one", "value": [float(value) for value in case.inputs["values"]]})
    scaling = _scaling(case)
    ways: dict[str, dict[str, Any]] = {
        "unscreened": {}, "screened": {"screened": True}, "median": {"centre": "median"},
        **{name: {"scaling": one} for name, one in charts.SCALINGS.items()},
    }  # fmt: skip
    named = {}
    for name, options in ways.items():
        chart = charts.xmr(points, SERIES, **{"scaling": scaling, **options}).collect()
        ranges = {"mr_bar": chart["range_centre"][0], "mr_ucl": chart["range_high"][0], "url": chart["range_high"][0],
                  "median_mr": chart["range_centre"][0]}  # fmt: skip
        named[name] = _told(chart) | ranges
    screen = case.given("screened", "screen", "screen_outliers", default=False)
    chosen = "median" if case.method("median") else "screened" if screen else "unscreened"
    return {**named[chosen], **named, "mean": named[chosen]["centre"]}


def _scaling(case: Case) -> charts.Scaling:
    given = case.given("constant", "scaling", "constants", "E2", "e2")
    if isinstance(given, int | float):
        wheeler = charts.WHEELER
        return charts.Scaling(
            given, wheeler.mean_range_high, wheeler.median_range, wheeler.median_range_high, 3 / given
        )
    names = {"wheeler": "wheeler", "nist": "nist", "exact": "exact"}
    return charts.SCALINGS[str(given or case.method(*names) or "wheeler")]


def _constants(subgroup: int) -> Found:
    assert subgroup == 2, "a moving range has two points"
    exact = charts.EXACT
    return {"E2": exact.mean_range, "D4": exact.mean_range_high, "E5_median": exact.median_range,
            "D6_median": exact.median_range_high, "d2": exact.d2}  # fmt: skip


def ewma(case: Case) -> Found:
    """The averages from the target on, and limits at the far end or of every point."""
    if "values" not in case.inputs:
        return _run_lengths(
            case, lambda shift, width: run_lengths.ewma_run_length(_weight(case), width, shift)
        )
    inputs = case.inputs
    points = pl.LazyFrame({"series": "one", "value": inputs["values"]}).with_columns(
        target=pl.lit(float(case.given("target", "mu", "center"))), sigma=pl.lit(float(inputs["sigma"]))
    )
    width = case.given("k", "L", "nsigmas", default=3)
    far, exact = (
        drift.ewma(points, SERIES, weight=_weight(case), sigmas=width, asymptotic=way).collect()
        for way in (True, False)
    )
    smooth = far["ewma"].to_list()
    by_point = isinstance(case.expected.get("ucl", case.expected.get("hi")), list)
    limits = exact if by_point else far
    low, high = limits["limit_low"].to_list(), limits["limit_high"].to_list()
    started = len(case.expected.get("ewma", [])) == len(smooth) + 1
    return {
        "ewma": [float(points.collect()["target"][0]), *smooth] if started else smooth,
        "low": low if by_point else low[-1],
        "high": high if by_point else high[-1],
        "out": [place for place, flag in enumerate(limits["is_signal"], start=1) if flag],
        "first_signal": drift.first_signal(limits.lazy(), SERIES).collect()["first_signal"][0],
    }


def _weight(case: Case) -> float:
    return case.given("lam", "lambda", "weight")


def cusum(case: Case) -> Found:
    """The sums, by slices where they are named so, and the first signal; or run lengths."""
    slack, decision = case.given("k", "K"), case.given("h", "H")
    if "values" not in case.inputs:
        sides = case.given("sides", default=2) == 2 and not case.method("one-sided")
        return _run_lengths(
            case, lambda shift, h: run_lengths.cusum_run_length(slack, h, shift, two_sided=sides)
        )
    unit = float(case.given("sigma", default=1))
    points = pl.LazyFrame({"series": "one", "value": case.inputs["values"]}).with_columns(
        target=pl.lit(float(case.given("target", "mu", "center")))
    )
    start = case.given("head_start", "fir", default=0)
    charted = drift.cusum(
        points, SERIES, slack=slack * unit, decision=decision * unit, head_start=start * unit
    )
    frame = charted.collect()
    found: dict[str, Any] = {
        "out": [place for place, flag in enumerate(frame["is_signal"], start=1) if flag],
        "first_signal": drift.first_signal(charted, SERIES).collect()["first_signal"][0],
    }
    for names, column in (
        (("s_hi", "c_plus", "cusum_high"), "cusum_high"),
        (("s_lo", "c_minus", "cusum_low"), "cusum_low"),
    ):
        for name in names:
            found[name] = frame[column].to_list()
    for name in case.expected:
        if sliced := re.fullmatch(r"(.+)_(\d+)_to_(\d+)", name):
            kind, first, last = sliced.groups()
            found[name] = found[kind][int(first) - 1 : int(last)]
    return found


def _run_lengths(case: Case, length: Callable[[float, float], float]) -> Found:
    """Run lengths by the width that each expected name ends with, or of the one width that is given."""
    shifts = case.given("shifts", "shift", "delta", default=[0])
    many = shifts if isinstance(shifts, list) else [shifts]
    found: dict[str, Any] = {}
    for name in case.expected:
        written = re.search(r"[\d.]+$", name)
        given = case.given("h", "L", "k_limits", "nsigmas")
        width = float(written.group()) if written else given
        lengths = [length(shift, width) for shift in many]
        found[name] = lengths if isinstance(case.expected[name], list) else lengths[0]
    return found


SETS = {"WER": "western_electric", "WE": "western_electric", "NEL": "nelson", "NELSON": "nelson", "NHS": "nhs",
        "WHEELER": "wheeler"}  # fmt: skip


def rules(case: Case) -> Found:
    """Where rules are met, or how long a set of them stays quiet."""
    if "series" not in case.inputs:
        named = RULE_SETS[SETS.get(str(case.given("set", default="WER")).upper(), "western_electric")]
        shift = case.given("shift", "shifts", default=0.0)
        texts = {text: [named[int(number) - 1] for number in text.split("+")] for text in case.expected}
        if isinstance(shift, list):
            return {
                text: [run_lengths.rules_run_length(rs, one) for one in shift] for text, rs in texts.items()
            }
        return {text: run_lengths.rules_run_length(rs, shift) for text, rs in texts.items()}
    centre, sigma = case.given("center", "centre", default=0.0), case.given("sigma", default=1.0)
    found = {}
    for name, values in case.inputs["series"].items():
        points = pl.LazyFrame({"series": name, "value": [float(value) for value in values]})
        scored = points.with_columns(z=(pl.col("value") - centre) / sigma)
        rule = _rule(name)
        marked = signals(scored, SERIES, [rule]).collect()[rule.name].to_list()
        found[name] = [place for place, is_met in enumerate(marked, start=1) if is_met]
    return found


def _rule(name: str) -> RunRule:
    """The rule that a series is named for: a set and a number (WER2), or a set and a kind (NHS_trend)."""
    written = re.match(r"([A-Za-z]+?)_?(?:rule)?_?(\d+)", name)
    if not written:
        started, _, word = name.partition("_")
        kind = {"shift": "side", "run": "side"}.get(word, word)
        return next(rule for rule in RULE_SETS[SETS[started.upper()]] if kind in (rule.kind, rule.name))
    return RULE_SETS[SETS[written.group(1).upper()]][int(written.group(2)) - 1]
