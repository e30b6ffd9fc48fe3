"""What deliveries' rules found, as tables: every rule's result, and the rows in quarantine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from contracts.deliveries import Delivery, RuleResult
from contracts.feeds import Feed, Stream
from contracts.tables import DqRuleResults, Quarantine
from transforms.judge import TOKEN

USUAL_MIN = 4
"""Deliveries of one weekday from which on their usual size is known."""
USUAL = "volume_baseline"
_HIDDEN = "(hidden)"


def dq_rule_results(feeds: Sequence[Feed], deliveries: Sequence[Delivery], zone: ZoneInfo) -> pl.DataFrame:
    """DqRuleResults: one row per delivery and rule."""
    rows = [
        row
        for feed in feeds
        for stream in feed.declared.streams
        for row in _rows(feed, stream, _results(feed, stream, deliveries, zone))
    ]
    return pl.DataFrame(rows, schema=DqRuleResults.published_schema(), orient="row")


def quarantine(deliveries: Sequence[Delivery], landed: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """Quarantine: every row that waits.

    Args:
        deliveries: Every delivery.
        landed: Gives a file of landing by its path.
    """
    frames = [
        landed(delivery.parts["rejects"]).select(
            feed=pl.lit(delivery.feed),
            stream=pl.lit(delivery.stream),
            source=pl.lit(delivery.source),
            _row=pl.col("line").cast(pl.Int64),
            _item=pl.col("item").cast(pl.Int64).fill_null(-1),
            _reasons="reasons",
            _contract=pl.lit(delivery.contract),
            _raw=pl.col("raw").str.replace_all(rf"\b{TOKEN.strip('^$')}\b", _HIDDEN),
            is_whole="is_whole",
            is_held=pl.lit(delivery.state == "held"),
        )
        for delivery in deliveries
        if "rejects" in delivery.parts
    ]
    return pl.concat(frames) if frames else Quarantine.empty()


def usual_size(earlier: Sequence[int], k: float) -> tuple[float, float]:
    """The sizes that are usual: median +- k median absolute deviations, one row at least.

    The deviation is the raw one, not scaled to a normal distribution's standard deviation.
    """
    middle = float(np.median(earlier))
    spread = max(float(np.median(np.abs(np.asarray(earlier) - middle))), 1.0)
    return middle - k * spread, middle + k * spread


def _results(
    feed: Feed, stream: Stream, deliveries: Sequence[Delivery], zone: ZoneInfo
) -> Iterator[tuple[Delivery, RuleResult]]:
    own = [d for d in deliveries if (d.feed, d.stream) == (feed.name, stream.name) and d.state != "repeated"]
    usual = list(_usual(feed, stream, own, zone))
    yield from ((delivery, result) for delivery in own for result in delivery.results)
    yield from usual


def _usual(
    feed: Feed, stream: Stream, own: Sequence[Delivery], zone: ZoneInfo
) -> Iterator[tuple[Delivery, RuleResult]]:
    """Whether each delivery's size is usual for its weekday, by the deliveries of the weeks before it.

    A delivery's day is that of its newest event. What is unusual is not wrong: it is counted, and holds
    nothing.
    """
    baseline = feed.shapes[stream.name].volume_baseline
    if baseline is None:
        return
    dated = sorted(
        (
            (datetime.fromisoformat(d.newest_event_at).astimezone(zone).date(), d.rows_read, d)
            for d in own
            if d.newest_event_at
        ),
        key=lambda one: (one[0], one[2].source),
    )
    known: dict[date, tuple[float, float] | None] = {}
    for day, rows, delivery in dated:
        if (
            day not in known
        ):  # once for all deliveries of a day: of those that are pushed there may be thousands
            since = day - timedelta(weeks=baseline.weeks)
            weekday = day.weekday()
            earlier = [n for other, n, _ in dated if since <= other < day and other.weekday() == weekday]
            known[day] = usual_size(earlier, baseline.k) if len(earlier) >= USUAL_MIN else None
        if (limits := known[day]) is None:
            continue
        low, high = limits
        is_kept = low <= rows <= high
        state = "passed" if is_kept else "failed"
        yield delivery, RuleResult(USUAL, "warning", rows, 0 if is_kept else rows, state)


def _rows(
    feed: Feed, stream: Stream, results: Iterable[tuple[Delivery, RuleResult]]
) -> Iterator[tuple[Any, ...]]:
    owners = {rule.id: rule.owner for rule in feed.shapes[stream.name].rules if rule.owner}
    for delivery, result in results:
        yield (
            feed.name,
            stream.name,
            delivery.source,
            result.name,
            delivery.contract,
            result.severity,
            result.state,
            result.checked,
            result.failed,
            result.failed / result.checked if result.checked else None,
            owners.get(result.name, feed.declared.owner),
            delivery.state == "held",
        )
