"""Families of cases about change and its causes: decomposition, drivers, interruptions, burn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from tests.golden.case import Case
from transforms.methods import budgets
from transforms.methods.decompose import factor_effects, rate_and_mix
from transforms.methods.drivers import johnson, lmg, weigh_drivers
from transforms.methods.interrupted import Model, fit_interruption
from transforms.methods.owner_change import PARTS, owner_change

Found = Mapping[str, Any]


def decomposition(case: Case) -> Found:
    """Segments with sizes and rates as mix and rate, anything else as factors."""
    inputs = case.inputs
    if {"size_0", "size_1", "rate_0", "rate_1"} <= set(inputs):
        return _mix_and_rate(inputs)
    if {"n0", "k0", "n1", "k1", "own0", "own1"} <= set(inputs):
        return _owner(inputs)
    if "before" in inputs and "after" in inputs:
        before, after = inputs["before"], inputs["after"]
    else:
        factors = inputs.get("factors", inputs)
        before, after = ({name: pair[side] for name, pair in factors.items()} for side in (0, 1))
    effects = factor_effects(before, after)
    return {**effects, "effects": effects, "total": sum(effects.values())}


def _mix_and_rate(inputs: Found) -> Found:
    names = {"size_0": "size_before", "rate_0": "rate_before", "size_1": "size_after", "rate_1": "rate_after"}
    frame = pl.LazyFrame(
        {new: [None if v is None else float(v) for v in inputs[old]] for old, new in names.items()}
    )
    split = rate_and_mix(frame).collect()
    sums = split.select(pl.col("mix", "rate", "change").sum()).row(0, named=True)
    by_segment = {f"{name}_by_segment": split[name].to_list() for name in ("mix", "rate")}
    return {**sums, "total": sums["change"], "segments": split.select("mix", "rate").rows(), **by_segment}


def _owner(inputs: Found) -> Found:
    """One owner's change, from counts by touchpoint and who had each in both periods."""
    owner = inputs.get("owner", inputs["own0"][0])
    frame = pl.LazyFrame({
        "owner": "one", "segment": "", "touchpoint": range(len(inputs["n0"])),
        "n_before": inputs["n0"], "sum_before": inputs["k0"], "n_after": inputs["n1"], "sum_after": inputs["k1"],
        "is_held_before": [held == owner for held in inputs["own0"]],
        "is_held_after": [held == owner for held in inputs["own1"]],
    }).filter(pl.col("is_held_before") | pl.col("is_held_after"))  # fmt: skip
    split = owner_change(frame).collect()
    sums = split.select(pl.col(*PARTS).sum()).row(0, named=True)
    whole = split.select("value_before", "value_after", "change", "unexplained").row(0, named=True)
    return {
        **sums,
        **whole,
        "M0": whole["value_before"],
        "M1": whole["value_after"],
        "total": whole["change"],
    }


def drivers(case: Case) -> Found:
    """Both kinds of weights; the names of the drivers stand for the one that the source speaks of."""
    inputs = case.inputs
    if "X" in inputs and "y" not in inputs:
        names, table = inputs["names"], np.array(inputs["X"], dtype=float)
    elif "X" in inputs:
        table = np.column_stack([inputs["y"], inputs["X"]]).astype(float)
        names = ["y", *inputs.get("names", [f"x{i}" for i in range(1, table.shape[1])])]
    else:
        return _from_correlations(case)
    rows = pl.DataFrame(table, schema=list(names), orient="row")
    response, *others = names
    found: dict[str, Any] = {}
    for method in ("lmg", "johnson"):
        weighed = weigh_drivers(rows, response, others, method=method)
        found[method] = dict(weighed.weights.select("driver", "weight").rows())
        found |= {"R2": weighed.r_squared, "n": weighed.n}
        found[f"{method}_pct"] = dict(weighed.weights.select("driver", "percent").rows())
    return found | _chosen(found, case)


def _from_correlations(case: Case) -> Found:
    matrix = case.given("correlations", "correlation", "R", "corr")
    if matrix is None:
        inner, outer = np.array(case.given("rxx", "Rxx")), np.array(case.given("rxy", "Rxy"))
        matrix = np.block([[np.ones((1, 1)), outer[None, :]], [outer[:, None], inner]])
    whole = np.array(matrix, dtype=float)
    names = list(case.given("names", default=[f"x{i}" for i in range(1, len(whole))]))[-(len(whole) - 1) :]
    ways = {"lmg": lmg(whole), "johnson": johnson(whole)}
    found: dict[str, Any] = {way: dict(zip(names, map(float, w), strict=True)) for way, w in ways.items()}
    return found | {"R2": float(ways["lmg"].sum())} | _chosen(found, case)


def _chosen(found: Found, case: Case) -> Found:
    way = (
        "johnson"
        if case.method("johnson", "relative weight", "lmg", "shapley") in ("johnson", "relative weight")
        else "lmg"
    )
    return {**found[way], "relative_weights": found["johnson"], "weights": found[way]}


def interruption(case: Case) -> Found:
    """The step after an intervention, by the model that is asked for."""
    data = {
        name: np.array(values, dtype=float)
        for name, values in case.inputs.get("data", case.inputs).items()
        if isinstance(values, list)
    }
    counts = _column(data, case, "count", "aces", "counts", "y", "events")
    exposure = _column(data, case, "offset", "stdpop", "exposure", "n", "pop")
    after = _column(data, case, "intervention", "smokban", "after", "step")
    model = Model(
        family="quasipoisson" if "quasi" in str(case.given("family", default=case.told)) else "poisson",
        bend=bool(case.given("bend", "slope", "interaction", default="slope change" in case.told)),
        harmonics=int(case.given("harmonics", default=2 if "harmonic" in case.told else 0)),
        season=float(case.given("period", "season", default=12)),
        confidence=case.confidence,
    )
    fitted = fit_interruption(counts, data["time"], after, exposure, model)
    told = {
        "rr": fitted.effects["step"],
        "trend": fitted.effects["trend"],
        "slope": fitted.effects.get("bend"),
    }
    step = fitted.effects["step"]
    by_name = {name: [r.value, r.low, r.high] for name, r in told.items() if r}
    return {**by_name, "rr": step.value, "lo": step.low, "hi": step.high, "p_value": step.p_value, "coef": step.coefficient,
            "se": step.error, "dispersion": fitted.dispersion}  # fmt: skip


def _column(data: Mapping[str, np.ndarray], case: Case, *names: str) -> Any:
    chosen = case.given(names[0])
    named = (chosen, *names) if isinstance(chosen, str) else names
    return next((data[name] for name in named if name in data), None)


def burn(case: Case) -> Found:
    """What burn rates mean, burn rates of observations, thresholds of windows."""
    goal = case.given("slo", "goal")
    days = case.given("window_days", "period_days", default=30)
    if "bad" in case.inputs:
        bad, n = (pl.lit(case.given(*names)) for names in (("bad", "errors"), ("n", "total", "requests")))
        rate = budgets.burn_rate(bad, n, pl.lit(goal))
        budget, left = budgets.error_budget(n, pl.lit(goal)), budgets.time_to_exhaust(rate, pl.lit(days))
        return pl.select(burn_rate=rate, burn=rate, budget=budget, days_to_exhaust=left).row(0, named=True)
    windows = case.given("windows", "alerts", "rows")
    if windows or "budget_consumed" in case.inputs or "budget_share" in case.inputs:
        return _thresholds(case, windows, days)
    shares: dict[str, Any] = {"budget_share": 1 - goal, "budget_minutes": (1 - goal) * days * 24 * 60}
    for text in (name for name in case.expected if name.replace(".", "", 1).isdigit()):
        rate = pl.lit(float(text))
        terms = {
            "error_rate": budgets.bad_share_at(rate, pl.lit(goal)),
            "days_to_exhaust": budgets.time_to_exhaust(rate, pl.lit(days)),
        }
        shares[text] = pl.select(**terms).row(0, named=True)
    return shares


def _thresholds(case: Case, windows: Any, days: float) -> Found:
    if not windows:
        share = case.given("budget_consumed", "budget_share")
        hours = case.given("window_hours", "long_window_hours", "window_h")
        pairs = list(zip(share, hours, strict=True)) if isinstance(share, list) else [(share, hours)]
    else:
        pairs = [tuple(w.values())[:2] if isinstance(w, Mapping) else tuple(w)[:2] for w in windows]
    rates = [budgets.burn_threshold(share, hours, 24 * days) for share, hours in pairs]
    return {
        "burn_rate": rates if len(rates) > 1 else rates[0],
        "burn_rates": rates,
        "thresholds": rates,
        "threshold": rates[0],
    }
