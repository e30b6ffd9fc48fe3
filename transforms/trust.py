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


def by_feed(trust: pl.DataFrame) -> pl.DataFrame:
    """What a number's feeds mean for it, one row a feed; metric_trust and metric_standing both rest on it.

    Returns:
        feed, quarantine_share, has_promise (of freshness), is_late, age_hours, has_held (a delivery),
        newest_event_at.
    """
    read = pl.col("rows_read").sum()
    return trust.group_by("feed").agg(
        quarantine_share=pl.when(read > 0).then(pl.col("rows_quarantined").sum() / read),
        has_promise=pl.col("age_max_hours").is_not_null().any(),
        is_late=pl.col("is_late").any(),
        age_hours=pl.col("age_hours").max(),
        has_held=(pl.col("held_file_count") > 0).any(),
        newest_event_at=pl.col("newest_event_at").max(),
    )


def metric_standing(
    judged: Iterable[tuple[str, str]],
    feeds: Mapping[tuple[str, str], Sequence[str]],
    observations: Mapping[tuple[str, str], int],
    trust: pl.DataFrame,
    enough: int,
    doubts: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> pl.DataFrame:
    """MetricStanding: whether each metric of each touchpoint can be believed.

    Args:
        judged: (touchpoint, metric) pairs of the map.
        feeds: Feeds that ever gave a pair an observation.
        observations: A pair's observations in the last 28 whole days.
        trust: DataTrust.
        enough: Fewest observations.
        doubts: Why a pair's sample cannot be believed, see `metric_trust.sample_doubts`.
    """
    known = {row["feed"]: row for row in by_feed(trust).iter_rows(named=True)}
    rows = []
    for pair in judged:
        names, n = sorted(feeds.get(pair, ())), observations.get(pair, 0)
        behind = [known[name] for name in names if name in known]
        late, held = [one for one in behind if one["is_late"]], [one for one in behind if one["has_held"]]
        unlike = (doubts or {}).get(pair, ())
        lacks = [] if names else ["was never observed"]
        lacks += [f"feed {one['feed']} {_behind(one['age_hours'])}" for one in late]
        lacks += [f"feed {one['feed']} has a delivery held" for one in held]
        if names and n < enough:
            lacks.append(f"{n} of the {enough} observations that it takes in 28 days")
        lacks += unlike
        rows.append(
            {
                "touchpoint_id": pair[0],
                "metric": pair[1],
                "feeds": ", ".join(names) or None,
                "n": n,
                "is_fresh": not late,
                "keeps_contract": not held,
                "has_enough": n >= enough,
                "is_sampled_well": not unlike,
                "is_trusted": not lacks,
                "why_not": f"{pair[1]}: {', '.join(lacks)}" if lacks else None,
                "newest_event_at": min(
                    (one["newest_event_at"] for one in behind if one["newest_event_at"]), default=None
                ),
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
    # A clock ahead of ours makes an event that is new, not one that is younger than that.
    age = max((now - newest).total_seconds() / _HOUR, 0.0) if newest else None
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
