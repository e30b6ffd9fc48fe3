"""Gaps of upkeep: feeds that stopped, identifiers that join nobody, waivers that ran out or waive nothing."""

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from contracts.accountability import Waiver
from contracts.tenures import LATEST, instant
from transforms.audit.declare import Finding, rule
from transforms.audit.evidence import Evidence


@rule(
    "critical",
    "Feed {feed} {age}; its contract allows {limit:g} hours.",
    "Find out why it stopped; its metrics are as old.",
    "feed",
)
def late_feed(evidence: Evidence) -> Iterator[Finding]:
    """A feed whose newest event is older than its contract allows."""
    by_feed = evidence.trust.filter(pl.col("is_late")).unique("feed", maintain_order=True)
    for row in by_feed.sort("feed").iter_rows(named=True):
        newest = row["newest_event_at"]
        age = "never told of an event" if newest is None else f"is {row['age_hours'] / 24:.1f} days behind"
        yield Finding(
            object_type="feed",
            object_id=row["feed"],
            said={"feed": row["feed"], "age": age, "limit": row["age_max_hours"]},
            stake=evidence.stake_of_feed(row["feed"]),
            fixed_by=row["owner_seat_id"],
            since=newest,
        )


@rule(
    "critical",
    "{count} deliveries of {stream} could not be taken in: they broke their contract.",
    "See 'answerable doctor'; mend the delivery or the contract and run again.",
    "feed",
)
def delivery_held(evidence: Evidence) -> Iterator[Finding]:
    """A stream with deliveries that were left out as a whole."""
    held = evidence.trust.filter(pl.col("held_file_count") > 0).sort("feed", "stream")
    for row in held.iter_rows(named=True):
        stream = f"{row['feed']}.{row['stream']}"
        yield Finding(
            object_type="feed",
            object_id=stream,
            said={"stream": stream, "count": row["held_file_count"]},
            stake=evidence.stake_of_feed(row["feed"]),
            fixed_by=row["owner_seat_id"],
        )


@rule(
    "info",
    "{count} e-mails, phones or ids are shared by too many people to join anybody.",
    "Nothing, unless they should: then raise 'shared_key_limit'.",
    "rules",
)
def shared_identifier(evidence: Evidence) -> Iterator[Finding]:
    """E-mails or phones that many people share."""
    if evidence.shared_tokens:
        yield Finding(object_type="identity", object_id="shared", said={"count": evidence.shared_tokens})


@rule(
    "info",
    "The waiver of {rule} at {object} ends on {until}.",
    "Close the gap, or let {approver} decide again.",
    "owners",
    is_last=True,
)
def waiver_ends_soon(evidence: Evidence) -> Iterator[Finding]:
    """A waiver in force that ends within the notice."""
    notice = timedelta(days=evidence.limits.waiver_notice_days)
    for waiver in evidence.atlas.waivers:
        end = instant(waiver.until, evidence.atlas.zone, LATEST)
        if evidence.now < end <= evidence.now + notice and _silences(waiver, evidence):
            yield _of_waiver(evidence, waiver)


@rule(
    "info",
    "The waiver of {rule} at {object} waives nothing: there is no such finding.",
    "Drop it, or mend its 'rule' or 'object'.",
    "owners",
    is_last=True,
)
def waiver_of_nothing(evidence: Evidence) -> Iterator[Finding]:
    """A waiver of a finding that is not there."""
    return (_of_waiver(evidence, one) for one in evidence.atlas.waivers if not _silences(one, evidence))


def is_waived_by(waiver: Waiver, rule_name: str, object_id: str) -> bool:
    """Whether a waiver means a finding; a seat's id alone means each of its vacancies."""
    return waiver.rule == rule_name and waiver.object in (object_id, object_id.partition("@")[0])


def _silences(waiver: Waiver, evidence: Evidence) -> bool:
    return any(is_waived_by(waiver, name, thing) for name, thing in evidence.found)


def _of_waiver(evidence: Evidence, waiver: Waiver) -> Finding:
    end = instant(waiver.until, evidence.atlas.zone, LATEST)
    return Finding(
        object_type="waiver",
        object_id=f"{waiver.rule}:{waiver.object}@{waiver.until:%Y-%m-%d}",
        said={
            "rule": waiver.rule,
            "object": waiver.object,
            "until": f"{waiver.until:%Y-%m-%d}",
            "approver": evidence.standing.people.get(waiver.approver, waiver.approver),
        },
        since=end,
    )
