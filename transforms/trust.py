"""What the feeds delivered: every row accounted for, and whether it came in time."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from contracts.deliveries import Delivery
from contracts.feeds import Feed, Stream
from contracts.tables import DataTrust, QuarantineReason

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
