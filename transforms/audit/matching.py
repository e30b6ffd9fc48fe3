"""Gaps of matching: events that belong nowhere, touchpoints where nothing happens, rules that do nothing."""

from collections.abc import Iterator

import polars as pl

from transforms.audit.declare import Finding, about, rule
from transforms.audit.evidence import Evidence

QUIET_MIN = 100
"""Events that a rule must have had for its silence to mean something."""
INTERNAL_MIN = 20
"""Events without a customer from which a touchpoint is said to have none."""


@rule(
    "warning",
    "No rule matches {kind} of feed {feed}.",
    "Paste what 'answerable rules unmatched' prints into the map, and choose its touchpoint.",
    "rules",
)
def unmatched_kind(evidence: Evidence) -> Iterator[Finding]:
    """A kind of event that no rule matches."""
    by_kind = evidence.unmatched.group_by("feed", "kind").agg(
        pl.col("event_count").sum(),
        pl.col("kind_customer_count").first(),
        pl.col("first_at").min(),
        pl.col("last_at").max(),
    )
    for row in by_kind.sort("feed", "kind").iter_rows(named=True):
        yield Finding(
            object_type="kind",
            object_id=f"{row['feed']}:{row['kind']}",
            said={"kind": row["kind"], "feed": row["feed"]},
            stake=(row["event_count"], row["kind_customer_count"]),
            since=row["first_at"],
            until=row["last_at"],
        )


@rule(
    "warning",
    "{share:.1%} of the events of 28 days match no rule; the goal is at most {goal:.1%}.",
    "See 'answerable rules unmatched'.",
    "rules",
)
def unmatched_share_missed(evidence: Evidence) -> Iterator[Finding]:
    """The share of unmatched events misses its goal, on evidence, over the last 28 days."""
    windows = evidence.unmatched_share.filter(pl.col("period") == "rolling_28d").sort("period_end").tail(1)
    for row in windows.filter(pl.col("verdict") == "missed").iter_rows(named=True):
        yield Finding(
            object_type="rules",
            object_id="unmatched_share",
            said={"share": row["value"], "goal": row["goal"]},
            stake=(row["unmatched_count"], evidence.stake("unmatched")[1]),
        )


@rule(
    "warning",
    "Nothing happened at {name} in 28 days.",
    "Check its rules and feeds, or end it with 'until'.",
    "rules",
)
def touchpoint_without_events(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint without an event in 28 days."""
    return (about(evidence, one) for one in evidence.living if not evidence.stake(one.id)[0])


@rule(
    "warning",
    "None of the {events:,} events at {name} in 28 days names a customer: is it internal work?",
    "Make it the part of a touchpoint that customers meet, or let its feed name the customer.",
    "accountable",
)
def internal_customer(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint whose events name no customer."""
    for touchpoint in evidence.living:
        events, customers = evidence.stake(touchpoint.id)
        if events >= INTERNAL_MIN and not customers:
            yield about(evidence, touchpoint, events=events)


@rule(
    "warning",
    "Rule {rule!r} can never match: {winners} {verb} it all before.",
    "Move it up, or drop it.",
    "rules",
)
def shadowed_rule(evidence: Evidence) -> Iterator[Finding]:
    """A rule that can never win."""
    for name, winners in evidence.shadowed_by.items():
        verb = "accept" if len(winners) > 1 else "accepts"
        yield _of_rule(evidence, name, winners=", ".join(map(repr, winners)), verb=verb)


@rule(
    "info",
    "Rule {rule!r} never matched an event.",
    "Check its selectors against the feeds, or drop it.",
    "rules",
)
def rule_without_events(evidence: Evidence) -> Iterator[Finding]:
    """A rule that could match but never did."""
    for one in evidence.atlas.rules:
        if not evidence.hits.get(one.id) and one.id not in evidence.shadowed_by:
            yield _of_rule(evidence, one.id)


@rule(
    "info",
    "Rule {rule!r} matched {events:,} events before, but none in 28 days.",
    "Find out whether the feed stopped telling of them or changed their names.",
    "rules",
)
def rule_gone_quiet(evidence: Evidence) -> Iterator[Finding]:
    """A rule that used to match and no longer does."""
    lately = evidence.recent_hits
    if lately is None:
        return
    for one in evidence.atlas.rules:
        events = evidence.hits.get(one.id, 0)
        if events >= QUIET_MIN and not lately.get(one.id):
            yield _of_rule(evidence, one.id, events=events)


def _of_rule(evidence: Evidence, name: str, **said: object) -> Finding:
    return Finding(
        object_type="rule",
        object_id=name,
        said={"rule": name, **said},
        declared_at=evidence.atlas.where("rules", name),
    )
