"""Samples as tables: how many of each kind were asked and answered, and what that does to a score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from contracts.accountability import UNMATCHED, AccountabilityMap, Metric
from contracts.events import Codebook
from contracts.tables import SampleMix, WhoAnswered
from contracts.tables.trust import AGAINST
from transforms.credit import named
from transforms.estimate import scale_of
from transforms.exact import summed
from transforms.found import NONE
from transforms.methods.decompose import rate_and_mix
from transforms.methods.representation import mix_distance
from transforms.methods.weights import post_stratify
from transforms.periods import PERIOD_COLUMNS, previous_start

ALL = "all"
KNOWN_MIN = 0.8
"""Share of events that have to have a value of the dimension."""
EMPTY_MAX = 0.05
"""Share of those who were there in cells that nobody answered from, up to which the others stand for them."""
_SERIES = ("touchpoint", "metric", "dimension")
_SURVEY = (*PERIOD_COLUMNS, *_SERIES)


@dataclass(frozen=True)
class Names:
    """What the numbers of samples stand for.

    Attributes:
        atlas: The map.
        codebook: What the codes of segments stand for.
    """

    atlas: AccountabilityMap
    codebook: Codebook

    @property
    def metrics(self) -> Sequence[Metric]:
        """The map's metrics, from number 1."""
        return self.atlas.metrics

    def touchpoint(self) -> pl.Expr:
        """The touchpoint's id."""
        return named("touchpoint", [UNMATCHED, *(one.id for one in self.atlas.touchpoints)])

    def metric(self) -> pl.Expr:
        """The metric's id."""
        return named("metric", [None, *(one.id for one in self.metrics)])

    def segments(self) -> pl.DataFrame:
        """Names of dimensions and segments: metric, dimension, segment, dimension_name, segment_name."""
        rows = [(number, 0, 0, ALL, ALL) for number, one in enumerate(self.metrics, start=1) if one.sample]
        rows += [
            (number, place, code, name, value or NONE)
            for number, one in enumerate(self.metrics, start=1)
            if one.sample
            for place, name in enumerate(one.sample.dimensions, start=1)
            for code, value in enumerate(self.codebook.series(self.codebook.column(name)))
        ]
        kinds = {"metric": pl.UInt16, "dimension": pl.UInt8, "segment": pl.UInt32}
        schema = {**kinds, "dimension_name": pl.String, "segment_name": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def is_represented(self) -> pl.Expr:
        """Whether the dimension is one in which those who answer should resemble those who were there."""
        last = [0, *(len(one.sample.by) if one.sample else 0 for one in self.metrics)]
        by = pl.lit(pl.Series(last, dtype=pl.UInt8)).gather(pl.col("metric"))
        return pl.col("dimension").is_between(1, by)

    def step(self) -> pl.Expr:
        """What one unit of the summed score is worth, by the column `metric`."""
        steps = [1.0, *(scale_of(one) for one in self.metrics)]
        return pl.lit(pl.Series(steps, dtype=pl.Float64)).gather(pl.col("metric"))


def sample_mix(periods: pl.LazyFrame, names: Names) -> pl.LazyFrame:
    """SampleMix.

    Args:
        periods: What `sampling.sampled_by_period` returned, collected.
        names: What the numbers stand for.
    """
    told = periods.join(names.segments().lazy(), on=["metric", "dimension", "segment"]).with_columns(
        value=pl.when(pl.col("n") > 0).then(pl.col("score") * names.step() / pl.col("n")),
        response_rate=pl.when(pl.col("ripe") > 0).then(pl.col("answered") / pl.col("ripe")),
        touchpoint_id=names.touchpoint(),
        **{f"{name}_count": pl.col(name) for name in ("lived", "asked", "ripe", "answered")},
    )
    return (
        told.with_columns(metric=names.metric())
        .drop("dimension", "segment")
        .rename({"dimension_name": "dimension", "segment_name": "segment"})
        .select(SampleMix.column_names())
    )


def who_answered(periods: pl.LazyFrame, names: Names) -> pl.LazyFrame:
    """WhoAnswered, of the same sums."""
    cells = _held_against(periods.filter(names.is_represented()))
    population = cells.filter("is_held").select(*_SURVEY, "segment", size="there")
    answered = cells.select(*_SURVEY, "segment", "n", "score", "held_against")
    apart = mix_distance(cells.filter("is_held"), _SURVEY, answered="n").rename(
        {"distance": "mix_distance", "by_chance": "mix_by_chance", "excess": "mix_excess"}
    )
    whole = answered.group_by(_SURVEY).agg(pl.col("held_against").first(), pl.col("n", "score").sum())
    rows = (
        whole.join(apart, on=_SURVEY, how="left")
        .join(_adjusted(answered, population), on=_SURVEY, how="left")
        .join(_changes(answered), on=_SURVEY, how="left")
        .filter(pl.col("n") > 0)
        .with_columns(value=pl.col("score") / pl.col("n"), change=pl.col("by_who") + pl.col("by_rest"))
    )
    moved = pl.col("change").abs() > 1e-12
    step = names.step()
    dimensions = names.segments().lazy().select("metric", "dimension", "dimension_name").unique()
    return (
        rows.with_columns(
            share_by_who=pl.when(moved).then(pl.col("by_who") / pl.col("change")),
            value=pl.col("value") * step,
            adjusted_value=pl.col("adjusted") * step,
            change=pl.col("change") * step,
            change_by_who=pl.col("by_who") * step,
            change_by_rest=pl.col("by_rest") * step,
            touchpoint_id=names.touchpoint(),
            held_against=pl.col("held_against").cast(pl.Enum(AGAINST)),
        )
        .join(dimensions, on=["metric", "dimension"])
        .with_columns(metric=names.metric(), dimension=pl.col("dimension_name"))
        .select(WhoAnswered.column_names())
    )


def _held_against(cells: pl.LazyFrame) -> pl.LazyFrame:
    """Cells whose value is known, with `held_against`, `there` (how many of them were) and `is_held`."""
    known: Mapping[str, pl.Expr] = {
        name: (pl.col(name).filter(pl.col("segment") > 0).sum() >= KNOWN_MIN * pl.col(name).sum())
        & (pl.col(name).sum() > 0)
        for name in (*AGAINST, "n")
    }
    enough = cells.group_by(_SURVEY).agg(*(one.alias(f"knows_{name}") for name, one in known.items()))
    against = pl.when("knows_n").then(
        pl.when("knows_lived").then(pl.lit("lived")).when("knows_asked").then(pl.lit("asked"))
    )
    return (
        cells.filter(pl.col("segment") > 0)
        .join(enough, on=_SURVEY)
        .with_columns(held_against=against)
        .with_columns(
            there=pl.when(pl.col("held_against") == "lived").then("lived").otherwise("asked"),
            is_held=pl.col("held_against").is_not_null(),
        )
    )


def _adjusted(answered: pl.LazyFrame, population: pl.LazyFrame) -> pl.LazyFrame:
    """The score weighted to those who were there, and what the weights cost."""
    keys = [*_SURVEY, "segment"]
    there = population.filter(pl.col("size") > 0)
    weighted = post_stratify(answered.select(*keys, "n", "score"), there, keys)
    weight, n = pl.col("weight"), pl.col("n")
    mass, there, empty = pl.col("mass"), pl.col("there"), pl.col("empty")
    terms = weighted.with_columns(
        mass=weight * n, square=weight * weight * n, weighed=weight * pl.col("score")
    )
    sums = terms.group_by(_SURVEY).agg(
        *(summed(pl.col(name)).alias(name) for name in ("mass", "square", "weighed")),
        there=pl.col("size").sum(),
        empty=pl.col("size").filter(weight.is_null()).sum(),
    )
    return sums.select(
        *_SURVEY,
        adjusted=pl.when(empty <= EMPTY_MAX * there, mass > 0).then(pl.col("weighed") / mass),
        effective_n=pl.when(mass > 0).then(mass * mass / pl.col("square")),
    )


def _changes(answered: pl.LazyFrame) -> pl.LazyFrame:
    """The change since one whole period earlier: what is who answered, what is the rest."""
    seen = answered.filter(pl.col("n") > 0).select(*_SURVEY, "segment", "n", "score")
    ends = seen.select(_SURVEY).unique().with_columns(earlier=previous_start())
    before = seen.select(
        "period", *_SERIES, "segment", earlier="period_start", n_before="n", score_before="score"
    )
    series = ["period", *_SERIES, "earlier"]
    both = ends.join(before.select(series).unique(), on=series, how="semi")
    cells = pl.concat(
        [
            both.join(seen, on=list(_SURVEY)).select(*_SURVEY, "earlier", "segment"),
            both.join(before, on=series).select(*_SURVEY, "earlier", "segment"),
        ]
    ).unique()
    sized = (
        cells.join(seen, on=[*_SURVEY, "segment"], how="left")
        .join(before, on=[*series, "segment"], how="left")
        .with_columns(pl.col("n", "n_before").fill_null(0))
        .select(
            *_SURVEY,
            size_before="n_before",
            rate_before=pl.col("score_before") / pl.col("n_before"),
            size_after="n",
            rate_after=pl.col("score") / pl.col("n"),
        )
        .sort(*_SURVEY, "size_after", "size_before")
    )
    split = rate_and_mix(sized, list(_SURVEY))
    return split.group_by(_SURVEY).agg(by_who=summed(pl.col("mix")), by_rest=summed(pl.col("rate")))
