"""What the feeds delivered: every row accounted for, whether it came in time, which metrics it carries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from contracts.deliveries import Delivery
from contracts.feeds import Feed, Stream
from contracts.tables import DataTrust, MetricStanding, QuarantineReason

_HOUR = 3600


def data_trust(feeds: Sequence[Feed], deliveries: Sequence[Delivery], now: datetime) -> pl.DataFrame:
    """DataTrust: one row per stream, delivered or not."""
    rows = [_stream(feed, stream, deliveries, now) for feed in feeds for stream in feed.declared.streams]
    return pl.DataFrame(rows, schema=DataTrust.published_schema())


def quarantine_reasons(deliveries: Sequence[Delivery]) -> pl.DataFrame:
    """QuarantineReason: why rows wait in quarantine."""
    counted: Counter[tuple[str, str, str]] = Counter()
    for delivery in deliveries:
        for reason, count in delivery.reasons.items():
            counted[(delivery.feed, delivery.stream, reason)] += count
    rows = [(*where, count) for where, count in counted.items()]
    return pl.DataFrame(rows, schema=QuarantineReason.published_schema(), orient="row")


def metric_standing(
    judged: Iterable[tuple[str, str]],
    feeds: Mapping[tuple[str, str], Sequence[str]],
    observations: Mapping[tuple[str, str], int],
    trust: pl.DataFrame,
    enough: int,
) -> pl.DataFrame:
    """MetricStanding: whether each metric of each touchpoint can be believed.

    Args:
        judged: (touchpoint, metric) pairs of the map.
        feeds: Feeds that ever gave a pair an observation.
        observations: A pair's observations in the last 28 whole days.
        trust: DataTrust.
        enough: Fewest observations.
    """
    late = dict(trust.filter("is_late").select("feed", "age_hours").iter_rows())
    held = set(trust.filter(pl.col("held_file_count") > 0)["feed"])
    newest = dict(trust.select("feed", "newest_event_at").iter_rows())
    rows = []
    for pair in judged:
        names, n = sorted(feeds.get(pair, ())), observations.get(pair, 0)
        lacks = [] if names else ["was never observed"]
        lacks += [f"feed {name} {_behind(late[name])}" for name in names if name in late]
        lacks += [f"feed {name} has a delivery held" for name in names if name in held]
        if names and n < enough:
            lacks.append(f"{n} of the {enough} observations that it takes in 28 days")
        rows.append(
            {
                "touchpoint_id": pair[0],
                "metric": pair[1],
                "feeds": ", ".join(names) or None,
                "n": n,
                "is_fresh": not any(name in late for name in names),
                "keeps_contract": not any(name in held for name in names),
                "has_enough": n >= enough,
                "is_trusted": not lacks,
                "why_not": f"{pair[1]}: {', '.join(lacks)}" if lacks else None,
                "newest_event_at": min((newest[name] for name in names if newest.get(name)), default=None),
            }
        )
    return pl.DataFrame(rows, schema=MetricStanding.published_schema())


def _behind(age_hours: float | None) -> str:
    return "never told of an event" if age_hours is None else f"is {age_hours / 24:.1f} days behind"


def stale_since(trust: pl.DataFrame) -> dict[str, datetime]:
    """The newest event of every feed that is late or broken: what comes after is not known."""
    stale = trust.filter(pl.col("is_stale"), pl.col("newest_event_at").is_not_null())
    return dict(stale.select("feed", "newest_event_at").iter_rows())


def _stream(feed: Feed, stream: Stream, deliveries: Sequence[Delivery], now: datetime) -> dict[str, Any]:
    own = [d for d in deliveries if (d.feed, d.stream) == (feed.name, stream.name)]
    told = [d.newest_event_at for d in deliveries if d.feed == feed.name and d.newest_event_at]
    newest = max((datetime.fromisoformat(moment) for moment in told), default=None)
    age = (now - newest).total_seconds() / _HOUR if newest else None
    limit = feed.freshness_hours
    is_late = limit is not None and (age is None or age > limit)
    read, quarantined = _sum(own, "rows_read"), _sum(own, "rows_quarantined")
    return {
        "feed": feed.name,
        "stream": stream.name,
        "owner_seat_id": feed.declared.owner,
        "file_count": sum(d.state != "held" for d in own),
        "held_file_count": sum(d.state == "held" for d in own),
        "rows_read": read,
        "rows_accepted": _sum(own, "rows_accepted"),
        "rows_quarantined": quarantined,
        "rows_duplicate": _sum(own, "rows_duplicate"),
        "rows_dropped": _sum(own, "rows_dropped"),
        "quarantine_share": quarantined / read if read else None,
        "newest_event_at": newest,
        "age_hours": age,
        "age_max_hours": limit,
        "is_late": is_late,
        "is_stale": is_late or any(d.feed == feed.name and d.state == "held" for d in deliveries),
    }


def _sum(deliveries: Sequence[Delivery], name: str) -> int:
    return sum(getattr(delivery, name) for delivery in deliveries)
