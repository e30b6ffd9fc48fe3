"""The pass's array kernels: what counts and adds up by small whole numbers, by place in an array instead of by hash.

`transforms.measure` and `transforms.behind` say the same of the same events as polars expressions. They are the
reference, and property tests hold these equal to them. What a row adds is said once, by `observed`; here a metric's
rows are looked for once, for all that is made of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import Metric
from contracts.events import Codebook
from transforms.behind import BEHIND
from transforms.groups import grouped
from transforms.match import Matcher
from transforms.measure import ANSWERS, SCORED, SUMS, in_scale, is_summed, observed, value_of
from transforms.predicates import where_coded


@dataclass(frozen=True)
class _Wanted:
    """What is made of a metric's events, as expressions.

    Attributes:
        number: The metric's number.
        base: Which events are its own.
        columns: What of them is needed.
        added: What each of them adds; of a metric whose events are not added up, only whether it counts.
        segments: Columns of `added` that hold the codes of its dimensions.
        is_summed: Whether it has sums.
        is_scored: Whether its answers are counted by score.
    """

    number: int
    base: pl.Expr
    columns: Sequence[str]
    added: Sequence[pl.Expr]
    segments: Sequence[str]
    is_summed: bool
    is_scored: bool


@dataclass(frozen=True)
class Tallies:
    """What is counted and added up of events.

    Attributes:
        matcher: The compiled map.
        metrics: The map's metrics; of rates, which add to two sums, there are no sums here.
        codebook: What the stored codes stand for.
    """

    matcher: Matcher
    metrics: Sequence[Metric]
    codebook: Codebook

    def of(self, matched: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """`counted`, `sums`, `answers` and `behind`, as the references have them.

        Args:
            matched: Stored events with `rule`, `touchpoint` and `slot`; each column best in one piece.
        """
        bases = matched.select(wanted.base.alias(str(wanted.number)) for wanted in self._wanted)
        sums, answers, behind = [], [], [_behind(matched, 0)]
        for wanted in self._wanted:
            told = matched.select(wanted.columns).filter(bases[str(wanted.number)]).select(wanted.added)
            valid = told.filter("__valid")
            behind.append(_behind(valid, wanted.number))
            if wanted.is_summed:
                sums += _sums(told, wanted)
            if wanted.is_scored:
                answers.append(_answers(valid, wanted.number))
        return {
            "counted": self._counted(matched),
            "sums": _together(sums, SUMS),
            "answers": _together(answers, ANSWERS),
            "behind": _together(behind, BEHIND).filter(pl.col("touchpoint") > 0),
        }

    @cached_property
    def _wanted(self) -> list[_Wanted]:
        return [
            self._wanted_of(metric, number)
            for number, metric in enumerate(self.metrics, start=1)
            if metric.of == "events"
        ]

    def _wanted_of(self, metric: Metric, number: int) -> _Wanted:
        codebook, value = self.codebook, [metric.value] if metric.value else []
        named = {codebook.column(name) for name in (*metric.by, *metric.good, *value)}
        segments = {
            f"__segment_{place}": codebook.column(name) for place, name in enumerate(metric.by, start=1)
        }
        added = [pl.col("touchpoint"), pl.col("feed"), in_scale(metric, codebook).alias("__valid")]
        if is_summed(metric):
            codes = [pl.col(column).cast(pl.UInt32).alias(name) for name, column in segments.items()]
            score = value_of(metric, codebook).alias("__value")
            added = [pl.col("slot", "touchpoint", "feed"), *codes, *observed(metric, codebook), score]
        return _Wanted(
            number=number,
            base=(pl.col("touchpoint") > 0) & where_coded(metric.where, codebook),
            columns=sorted({"slot", "touchpoint", "feed"} | named),
            added=added,
            segments=list(segments),
            is_summed=is_summed(metric),
            is_scored=metric.estimator in SCORED,
        )

    def _counted(self, matched: pl.DataFrame) -> pl.DataFrame:
        found = grouped(_columns(matched, "slot", "rule"))
        touchpoint = self._touchpoint_of_rule.take(found.keys["rule"])
        return pl.DataFrame({**found.keys, "touchpoint": touchpoint, "n": found.sizes})

    @cached_property
    def _touchpoint_of_rule(self) -> np.ndarray:
        return self.matcher.touchpoint_of_rule().to_numpy()


def _sums(told: pl.DataFrame, wanted: _Wanted) -> Iterator[dict[str, np.ndarray | pl.Series]]:
    """A metric's sums, as a whole and by each of its dimensions."""
    place = _columns(told, "slot", "touchpoint")
    added = _columns(told, "__valid", "__outside", "__good", "__steps", "__promoter", "__detractor")
    for index, segment in enumerate(["", *wanted.segments]):
        found = grouped({**place, "segment": told[segment].to_numpy()} if segment else place)
        total = {name: found.add_up(values) for name, values in added.items()}
        yield {
            "segment": found.all(0, np.uint32),
            **found.keys,
            "metric": found.all(wanted.number, np.uint16),
            "dimension": found.all(index, np.uint8),
            "n": total["__valid"],
            "excluded": found.sizes - total["__valid"],
            "outside": total["__outside"],
            "good": total["__good"],
            "total": total["__steps"],
            "squares": found.squares(added["__steps"]),
            "promoters": total["__promoter"],
            "detractors": total["__detractor"],
        }


def _answers(valid: pl.DataFrame, number: int) -> dict[str, np.ndarray]:
    score = valid["__value"].cast(pl.Int64).to_numpy()
    found = grouped({**_columns(valid, "slot", "touchpoint"), "score": score})
    return {**found.keys, "n": found.sizes, "metric": found.all(number, np.uint16)}


def _behind(seen: pl.DataFrame, number: int) -> dict[str, np.ndarray]:
    found = grouped(_columns(seen, "touchpoint", "feed"))
    return {**found.keys, "metric": found.all(number, np.uint16)}


def _columns(frame: pl.DataFrame, *names: str) -> dict[str, np.ndarray]:
    return {name: frame[name].to_numpy() for name in names}


def _together(
    parts: Sequence[Mapping[str, np.ndarray | pl.Series]], schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """Parts one below the other."""
    if not parts:
        return pl.DataFrame(schema=dict(schema))
    whole = {name: _whole([part[name] for part in parts]) for name in schema}
    return pl.DataFrame(whole, schema=dict(schema))


def _whole(pieces: Sequence[np.ndarray | pl.Series]) -> np.ndarray | pl.Series:
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    return np.concatenate(arrays) if arrays else pl.concat([pl.Series(piece) for piece in pieces])
