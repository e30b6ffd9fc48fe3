"""The pass's array kernels: what counts and adds up by small whole numbers, by place in an array instead of by hash.

`transforms.measure` and `transforms.behind` say the same of the same events as polars expressions. They are the
reference, and property tests hold these equal to them. What a row adds is said once, by `observed`; here a metric's
rows are looked for once, for all that is made of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import polars as pl

from contracts.accountability import Metric
from contracts.events import Codebook
from transforms.behind import BEHIND
from transforms.match import Matcher
from transforms.measure import ANSWERS, SCORED, SUMS, in_scale, is_summed, observed, value_of
from transforms.predicates import where_coded

PLACES_PER_ROW = 8
PLACES_ALWAYS = 1 << 16
"""With more places than both allow, an array would be mostly empty: polars finds by hash what rows have in common."""
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True)
class Groups:
    """Rows by the numbers they have in common.

    Attributes:
        keys: The numbers of every group, by column; the groups are sorted by them.
        sizes: How many rows every group has.
        place: Every row's place.
        group_at: The group at every place.
    """

    keys: Mapping[str, pl.Series]
    sizes: np.ndarray
    place: np.ndarray
    group_at: np.ndarray

    @cached_property
    def of_row(self) -> np.ndarray:
        """Every row's group."""
        return self.group_at.take(self.place)

    def add_up(self, values: pl.Series) -> np.ndarray:
        """The sum of whole numbers in every group, exact; or how many are true."""
        total = np.zeros(len(self.sizes), dtype=np.int64)
        np.add.at(total, self.of_row, values.to_numpy().astype(np.int64, copy=False))
        return total

    def squares(self, values: pl.Series) -> pl.Series:
        """The sum of the squares of whole numbers in every group, exact."""
        plain = values.to_numpy()
        largest = max(-int(plain.min(initial=0)), int(plain.max(initial=0)))
        if largest**2 * len(values) <= _LARGEST:
            return pl.Series(self.add_up(values * values)).cast(pl.Int128)
        steps = pl.col("steps").cast(pl.Int128)
        wide = pl.DataFrame({"group": self.of_row, "steps": values})
        return wide.group_by("group").agg((steps * steps).sum()).sort("group")["steps"]


def grouped(rows: pl.DataFrame, by: Sequence[str]) -> Groups:
    """Rows by columns of whole numbers."""
    if rows.is_empty() or any(rows[name].null_count() for name in by):
        return _hashed(rows, by)
    columns = [rows[name].to_numpy() for name in by]
    lows = [column.min() for column in columns]
    spans = [int(column.max()) - int(low) + 1 for column, low in zip(columns, lows, strict=True)]
    if prod(spans) > max(PLACES_PER_ROW * rows.height, PLACES_ALWAYS):
        return _hashed(rows, by)
    place = np.zeros(1, dtype=np.int64)
    for column, low, span in zip(columns, lows, spans, strict=True):
        place = place * span + (column - low)
    sizes = np.bincount(place)
    there = np.flatnonzero(sizes)
    numbers = [
        number.astype(low.dtype) + low
        for number, low in zip(np.unravel_index(there, spans), lows, strict=True)
    ]
    keys = dict(zip(by, map(pl.Series, numbers), strict=True))
    return Groups(keys, sizes[there], place, np.cumsum(sizes > 0) - 1)


def _hashed(rows: pl.DataFrame, by: Sequence[str]) -> Groups:
    keys = rows.group_by(by).agg(__size=pl.len()).sort(by)
    numbered = keys.select(by).with_row_index("__group")
    place = rows.select(by).join(numbered, on=list(by), how="left", nulls_equal=True, maintain_order="left")
    of_row, sizes = place["__group"].to_numpy(), keys["__size"].to_numpy()
    return Groups({name: keys[name] for name in by}, sizes, of_row, np.arange(keys.height))


def tallied(
    matched: pl.DataFrame, matcher: Matcher, metrics: Sequence[Metric], codebook: Codebook
) -> dict[str, pl.DataFrame]:
    """What is counted and added up of events: `counted`, `sums`, `answers` and `behind`, as the references have them.

    Args:
        matched: Stored events with `rule`, `touchpoint` and `slot`.
        matcher: The compiled map.
        metrics: The map's metrics; of rates, which add to two sums, there are none here.
        codebook: What the stored codes stand for.
    """
    of_events = {number: metric for number, metric in enumerate(metrics, start=1) if metric.of == "events"}
    bases = matched.select(
        ((pl.col("touchpoint") > 0) & where_coded(metric.where, codebook)).alias(str(number))
        for number, metric in of_events.items()
    )
    sums, answers, behind = [pl.DataFrame(schema=SUMS)], [pl.DataFrame(schema=ANSWERS)], [_behind(matched, 0)]
    for number, metric in of_events.items():
        told = _told(matched, bases[str(number)], metric, codebook)
        valid = told.filter("__valid")
        behind.append(_behind(valid, number))
        if is_summed(metric):
            sums += _sums(told, metric, number)
        if metric.estimator in SCORED:
            answers.append(_answers(valid, number))
    return {
        "counted": _counted(matched, matcher),
        "sums": pl.concat(sums),
        "answers": pl.concat(answers),
        "behind": pl.concat(behind).filter(pl.col("touchpoint") > 0),
    }


def _told(matched: pl.DataFrame, base: pl.Series, metric: Metric, codebook: Codebook) -> pl.DataFrame:
    """A metric's rows, and what each of them adds."""
    value = [metric.value] if metric.value else []
    named = {codebook.column(name) for name in (*metric.by, *metric.good, *value)}
    rows = matched.select({"slot", "touchpoint", "feed"} | named).filter(base)
    if not is_summed(metric):
        return rows.select("touchpoint", "feed", in_scale(metric, codebook).alias("__valid"))
    segments = [
        pl.col(codebook.column(name)).cast(pl.UInt32).alias(f"__segment_{index}")
        for index, name in enumerate(metric.by, start=1)
    ]
    added = [*observed(metric, codebook), value_of(metric, codebook).alias("__value")]
    return rows.select("slot", "touchpoint", "feed", *segments, *added)


def _counted(matched: pl.DataFrame, matcher: Matcher) -> pl.DataFrame:
    found = grouped(matched, ["slot", "rule"])
    touchpoint = matcher.touchpoint_of_rule().gather(found.keys["rule"])
    return pl.DataFrame(
        {**found.keys, "touchpoint": touchpoint, "n": found.sizes}, schema_overrides={"n": pl.Int64}
    )


def _sums(told: pl.DataFrame, metric: Metric, number: int) -> Iterator[pl.DataFrame]:
    """The metric's sums, as a whole and by each of its dimensions."""
    for index in range(len(metric.by) + 1):
        segment = f"__segment_{index}"
        found = grouped(told, ["slot", "touchpoint", *([segment] if index else [])])
        of_each, valid = len(found.sizes), found.add_up(told["__valid"])
        made = {
            "slot": found.keys["slot"],
            "touchpoint": found.keys["touchpoint"],
            "metric": np.full(of_each, number, dtype=np.uint16),
            "dimension": np.full(of_each, index, dtype=np.uint8),
            "segment": found.keys.get(segment, np.zeros(of_each, dtype=np.uint32)),
            "n": valid,
            "excluded": found.sizes - valid,
            "outside": found.add_up(told["__outside"]),
            "good": found.add_up(told["__good"]),
            "total": found.add_up(told["__steps"]),
            "squares": found.squares(told["__steps"]),
            "promoters": found.add_up(told["__promoter"]),
            "detractors": found.add_up(told["__detractor"]),
        }
        yield pl.DataFrame(made, schema=SUMS)


def _answers(valid: pl.DataFrame, number: int) -> pl.DataFrame:
    scored = valid.with_columns(score=pl.col("__value").cast(pl.Int64))
    found = grouped(scored, ["slot", "touchpoint", "score"])
    metric = np.full(len(found.sizes), number, dtype=np.uint16)
    return pl.DataFrame({**found.keys, "n": found.sizes, "metric": metric}, schema=ANSWERS)


def _behind(seen: pl.DataFrame, number: int) -> pl.DataFrame:
    keys = grouped(seen, ["touchpoint", "feed"]).keys
    metric = np.full(len(keys["feed"]), number, dtype=np.uint16)
    return pl.DataFrame(
        {"touchpoint": keys["touchpoint"], "metric": metric, "feed": keys["feed"]}, schema=BEHIND
    )
