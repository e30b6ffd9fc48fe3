"""Families of cases about answers: scores, proportions, response, weights, many comparisons."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from tests.golden.case import Case
from transforms import intervals
from transforms.intervals import z_of
from transforms.methods import differences, discoveries, promoters, responses, weights
from transforms.methods.promoters import Counts
from transforms.methods.scales import top_two_box

Found = Mapping[str, Any]


def one(**terms: pl.Expr) -> dict[str, Any]:
    """The values of expressions over literals."""
    return pl.select(**terms).row(0, named=True)


def _ends(ends: intervals.Ends) -> list[float]:
    return list(pl.select(low=ends[0], high=ends[1]).row(0))


def _z(case: Case) -> float:
    return z_of(case.confidence, 1 if _is_one_sided(case) else 2)


def _is_one_sided(case: Case) -> bool:
    return case.given("sides", default=2) == 1 or case.given("alternative", default="two-sided") in (
        "less",
        "greater",
    )


def nps(case: Case) -> Found:
    """Net promoter scores, on -1..1 as the sources have them."""
    inputs = case.inputs
    if "scores" in inputs and not case.given("weights", "weight"):
        return _from_scores(inputs["scores"], case)
    if "scores" in inputs:
        return _weighted_nps(inputs["scores"], case.given("weights", "weight"), case)
    histograms = [value for value in inputs.values() if isinstance(value, list) and len(value) == 11]
    if histograms:
        samples = [_of_histogram(one) for one in histograms]
        return _nps_change(samples, case) if len(samples) == 2 else _nps_of(samples[0], case)
    return _from_counts(case)


def _from_counts(case: Case) -> Found:
    """Promoters and detractors: one sample, two to compare, or a list of samples."""
    samples = case.given("samples_pro_det_n", "samples", "samples_pro_pas_det")
    if samples:
        if "samples_pro_pas_det" in case.inputs:
            samples = [(up, down, up + passive + down) for up, passive, down in samples]
        each = [_nps_of(sample, case) for sample in samples]
        return {name: [one[name] for one in each] for name in each[0]}
    counts = [case.inputs[name] for name in _named(case.inputs, "pro", "det", "pas", "n")]
    if all(isinstance(value, list) for value in counts[:2]):
        return _nps_change([_counts(case, place) for place in range(len(counts[0]))], case)
    return _nps_of(_counts(case), case)


def _named(inputs: Found, *starts: str) -> list[str]:
    return [name for start in starts for name in inputs if name.lower().startswith(start) and name != "prior"]


def _counts(case: Case, place: int | None = None) -> tuple[float, float, float]:
    def of(start: str) -> float | None:
        names = _named(case.inputs, start)
        value = case.inputs[names[0]] if names else None
        return value if place is None or value is None else value[place]

    up, down, passive, n = of("pro"), of("det"), of("pas"), of("n")
    return up, down, n if n is not None else up + down + passive


def _of_histogram(histogram: Sequence[int]) -> tuple[int, int, int]:
    return sum(histogram[9:]), sum(histogram[:7]), sum(histogram)


def _literals(sample: Sequence[float]) -> Counts:
    return Counts(*(pl.lit(float(count)) for count in sample))


def _share(score: promoters.Score, name: str = "value") -> dict[str, Any]:
    """A score in points on -1..1."""
    terms = {key: term / 100 for key, term in score._asdict().items()} | {"p_value": promoters.p_value(score)}
    found = one(**terms)
    return {name: found["value"], "value": found["value"], "se": found["error"], **found}


def _nps_of(sample: Sequence[float], case: Case) -> dict[str, Any]:
    counts, z = _literals(sample), _z(case)
    wald = _share(promoters.wald(counts, z), "nps")
    low, high = (end / 100 for end in _ends(intervals.adjusted_wald_nps(*counts, z)))
    up, down, n = sample
    point = (up - down) / (n + 3)
    prior = case.given("prior", "alpha", "a", default=1 / 3)
    prior = prior[0] if isinstance(prior, list) else prior
    bayesian = _share(promoters.bayesian(counts, z, float(prior)), "mean")
    bayesian |= {"var": bayesian["se"] ** 2, "variance": bayesian["se"] ** 2, "nps": bayesian["value"]}
    adjusted = {"value": point, "nps": point, "low": low, "high": high, "margin": (high - low) / 2}
    named = {"wald": wald, "adjusted": adjusted, "bayes": bayesian, "dirichlet": bayesian}
    chosen = named[case.method(*named) or ("bayes" if "prior" in case.inputs else "wald")]
    variance = one(v=promoters.variance(counts))["v"]
    return {
        "n": n, "promoters": up, "detractors": down, "passives": n - up - down, "variance": variance,
        "margin": wald["se"] * z, "moe": wald["se"] * z, **wald, **chosen,
        "point_lo_hi": [chosen["value"], chosen["low"], chosen["high"]],
        "wald": wald, "adjusted_wald": adjusted, "bayesian": bayesian,
    }  # fmt: skip


def _nps_change(samples: Sequence[Sequence[float]], case: Case) -> Found:
    counts = [_literals(sample) for sample in samples]
    if case.method("adjusted"):
        counts = [promoters.adjusted(one) for one in counts]
    found = _share(promoters.change(counts[0], counts[1], _z(case)), "delta")
    scores = [_share(promoters.wald(one, _z(case)))["value"] for one in counts]
    return {
        "nps_x": scores[0],
        "nps_y": scores[1],
        "nps_1": scores[0],
        "nps_2": scores[1],
        "nps": scores,
        **found,
    }


def _from_scores(scores: Sequence[float], case: Case) -> Found:
    frame = pl.DataFrame({"score": scores}, strict=False)
    named = frame.with_columns(category=promoters.category(pl.col("score")).cast(pl.String))
    counted = dict(named.drop_nulls().group_by("category").len().rows())
    up, down = counted.get("promoter", 0), counted.get("detractor", 0)
    valid = sum(counted.values())
    categories = {str(score): name for score, name in zip(scores, named["category"].to_list(), strict=True)}
    told = {"category": categories, "excluded": len(scores) - valid}
    return told | (_nps_of((up, down, valid), case) if valid else {})


def _weighted_nps(scores: Sequence[float], mass: Sequence[float], case: Case) -> Found:
    frame = pl.DataFrame({"score": scores, "weight": mass}, strict=False)
    category = promoters.category(pl.col("score")).cast(pl.String)
    coded = category.replace_strict(
        {"promoter": 1.0, "passive": 0.0, "detractor": -1.0}, return_dtype=pl.Float64
    )
    kept = frame.with_columns(coded=coded).drop_nulls("coded")
    value, weight = pl.col("coded"), pl.col("weight")
    low, high = weights.weighted_nps_interval(value, weight, _z(case))
    return kept.select(
        n=pl.len(), nps=weights.weighted_mean(value, weight), low=low / 100, high=high / 100,
        n_eff=weights.effective_n(weight), kish_neff=weights.effective_n(weight), deff=weights.design_effect(weight),
        se_linearised=weights.linearised_error(value, weight),
    ).row(0, named=True)  # fmt: skip


def proportion(case: Case) -> Found:
    """Intervals of proportions by every method."""
    if "cases" in case.inputs:
        return {text: _proportion(*map(int, text.split("/")), case) for text in case.inputs["cases"]}
    if "scores" in case.inputs:
        valid = (
            pl.DataFrame({"s": case.inputs["scores"]}, strict=False)
            .select(g=top_two_box(pl.col("s")))
            .drop_nulls()
        )
        good, n = int(valid["g"].sum()), valid.height
        return {
            "n": n,
            "valid": n,
            "top2": good,
            "csat": good / n,
            "t2b": good / n,
            **_proportion(good, n, case),
        }
    good, n = case.given("k", "x", "successes", "good"), case.given("n", "trials")
    return _proportion(good, n, case)


def _proportion(good: int, n: int, case: Case) -> dict[str, Any]:
    k, size, z = pl.lit(good), pl.lit(n), _z(case)
    sides = 1 if _is_one_sided(case) else 2
    found: dict[str, Any] = {
        "wald": _ends(intervals.wald(k, size, z)),
        "wilson": _ends(intervals.wilson(k, size, z)),
        "agresti_coull": _ends(intervals.agresti_coull(k, size, z)),
        "clopper_pearson": _ends(intervals.clopper_pearson(k, size, case.confidence, sides)),
    }
    named = {"wald": "wald", "wilson": "wilson", "score": "wilson", "agresti": "agresti_coull",
             "clopper": "clopper_pearson", "exact": "clopper_pearson"}  # fmt: skip
    low, high = found[named[case.method(*named) or "wilson"]]
    return {**found, "exact": found["clopper_pearson"], "score": found["wilson"], "low": low, "high": high,
            "p": good / n, "value": good / n, "share": good / n}  # fmt: skip


def before_after(case: Case) -> Found:
    """Two proportions with Newcombe's interval, or several with a chi-square."""
    if "cases" in case.inputs:
        return {text: _difference(*_fractions(text), case)["interval"] for text in case.inputs["cases"]}
    if "table" in case.inputs:
        (a, b), (c, d) = case.inputs["table"]
        p_value = differences.fisher_exact([[a, b], [c, d]], _sided(case))
        return {**_difference((a, a + b), (c, c + d), case), "fisher_p": p_value, "p_value": p_value}
    good, n = case.given("successes", "k", "x"), case.given("n", "trials")
    frame = pl.DataFrame({"k": good, "n": n})
    test = differences.equal_shares_test(pl.col("k"), pl.col("n"))
    found: dict[str, Any] = frame.select(**test._asdict()).row(0, named=True)
    found |= {"df": frame.height - 1, "shares": [k / size for k, size in zip(good, n, strict=True)]}
    if frame.height == 2:
        pairs = list(zip(good, n, strict=True))
        found |= {f: v for f, v in _difference(pairs[0], pairs[1], case).items() if f not in found}
    return found


def _fractions(text: str) -> list[tuple[int, int]]:
    return [(int(k), int(n)) for k, n in (part.split("/") for part in text.split(" vs "))]


def _sided(case: Case) -> Any:
    return {"two-sided": "two"}.get(case.given("alternative", default="two-sided"), case.given("alternative"))


def _difference(first: tuple[int, int], second: tuple[int, int], case: Case) -> dict[str, Any]:
    pair = [(pl.lit(k), pl.lit(n)) for k, n in (first, second)]
    found = one(**differences.share_difference(pair[0], pair[1], _z(case))._asdict())
    test = one(**differences.pooled_z_test(pair[0], pair[1], _sided(case))._asdict())
    return {**found, "interval": [found["low"], found["high"]], **test}


NAMES = dict(zip(("I", "P", "R", "NC", "O", "UH", "UO", "NE"), responses.DISPOSITIONS, strict=True))


def response(case: Case) -> Found:
    """AAPOR's rates, in its own capitals."""
    counts = {name: case.given(letter, letter.lower(), default=0) for letter, name in NAMES.items()}
    if "U" in case.inputs:
        counts["unknown_other"] = case.inputs["U"]
    rates = responses.response_rates(pl.LazyFrame(pl.DataFrame([counts])), case.given("e"))
    row = rates.collect().row(0, named=True)
    return {name.upper(): row[name] for name in responses.RATES} | {"e": row["eligible_share"]}


def comparisons(case: Case) -> Found:
    """Adjusted p-values and what they reject."""
    frame = pl.DataFrame({"p": case.given("p_values", "p")})
    ways = {
        "bh": discoveries.benjamini_hochberg, "by": discoveries.benjamini_yekutieli,
        "holm": discoveries.holm, "bonferroni": discoveries.bonferroni,
    }  # fmt: skip
    level = case.given("q", "alpha", default=0.05)
    found: dict[str, Any] = {}
    for name, adjust in ways.items():
        adjusted = frame.select(adjust(pl.col("p")))["p"]
        flags = [None if p is None else p <= level for p in adjusted]
        found |= {f"{name}_adjusted": adjusted.to_list(), f"{name}_rejected": sum(map(bool, flags)),
                  f"reject_{name}": flags, f"{name}_flags": flags}  # fmt: skip
        found[f"{name}_indices"] = [place for place, flag in enumerate(flags, start=1) if flag]
    chosen = {"yekutieli": "by", "holm": "holm"}.get(case.method("yekutieli", "holm", "hochberg") or "", "bh")
    first = case.expected.get("first_adjusted", [])
    adjusted = found[f"{chosen}_adjusted"]
    return {**found, "adjusted": adjusted, "rejected": found[f"{chosen}_rejected"], "reject": found[f"reject_{chosen}"],
            "first_adjusted": sorted(p for p in adjusted if p is not None)[: len(first)]}  # fmt: skip


def weighting(case: Case) -> Found:
    """Post-stratification, raking, the effective n, and linearised errors."""
    if "sample_counts" in case.inputs and "population" in case.inputs:
        return _post_stratified(case.inputs["sample_counts"], case.inputs["population"])
    margins = case.given("margins", "population_margins", "targets")
    if margins is not None or "row_totals" in case.inputs:
        return _raked(case, margins)
    mass = case.given("weights", "w", "weight")
    values = case.given("values", "y", "x")
    frame = pl.DataFrame({"w": mass, "y": values if values is not None else [None] * len(mass)})
    w, y = pl.col("w"), pl.col("y").cast(pl.Float64)
    found = frame.select(n=pl.len(), n_eff=weights.effective_n(w), deff=weights.design_effect(w))
    told = found.row(0, named=True) | {"neff": found["n_eff"][0], "kish_neff": found["n_eff"][0]}
    if values is not None:
        told |= frame.select(mean=weights.weighted_mean(y, w), se=weights.linearised_error(y, w)).row(
            0, named=True
        )
    return told


def _post_stratified(sample: Mapping[str, int], population: Mapping[str, int]) -> Found:
    cells = pl.LazyFrame({"cell": list(sample), "n": list(sample.values())})
    people = pl.LazyFrame({"cell": list(population), "size": list(population.values())})
    found = weights.post_stratify(cells, people, ["cell"]).collect()
    return {"weights": dict(found.select("cell", "weight").rows())}


def _raked(case: Case, margins: Any) -> Found:
    table = case.given("table", "counts", "sample", "sample_counts", "cells")
    if isinstance(table, list) and isinstance(table[0], list):
        shape = np.array(table, dtype=float)
        rows, start = (
            [(str(i), str(j)) for i in range(shape.shape[0]) for j in range(shape.shape[1])],
            shape.ravel(),
        )
        totals = margins or {
            "row": case.given("row_totals"),
            "column": case.given("column_totals", "col_totals"),
        }
        named = list(totals.values()) if isinstance(totals, Mapping) else totals
        wanted = {
            axis: {str(i): t for i, t in enumerate(given)} for axis, given in zip("rc", named, strict=True)
        }
        frame = pl.DataFrame(rows, schema=["r", "c"], orient="row")
        fitted = weights.rake(frame, wanted, weights=start).weights.reshape(shape.shape)
        return {"table": fitted.tolist(), "fitted": fitted.tolist(), "weights": (fitted / shape).tolist()}
    if isinstance(table, Mapping) and not any(isinstance(value, list) for value in table.values()):
        cells = [re.split(r"[|,/]", cell) for cell in table]
        frame = pl.DataFrame(cells, schema=list(margins), orient="row").with_columns(
            n=pl.Series(table.values())
        )
        fitted = weights.rake(frame, margins, weights=frame["n"].cast(pl.Float64).to_numpy()).weights
        each = fitted / frame["n"].to_numpy()
        return {
            "fitted": dict(zip(table, fitted, strict=True)),
            "weights": dict(zip(table, each, strict=True)),
        }
    frame = pl.DataFrame(table)
    counts = next((name for name in ("n", "count", "size", "weight") if name in frame.columns), None)
    start = frame[counts].cast(pl.Float64).to_numpy() if counts else None
    fitted = weights.rake(frame, margins, weights=start).weights
    return {"fitted": fitted.tolist(), "weights": (fitted / (1 if start is None else start)).tolist()}
