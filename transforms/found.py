"""Rules that matched and events that none did, with a rule to paste for them."""

import polars as pl

from contracts.accountability import AccountabilityMap
from contracts.events import Codebook
from contracts.tables import FactEventUnmatched, RuleHit
from transforms.groups import numbered
from transforms.lived import Lived
from transforms.rules import Decision

NONE = "(none)"


def rule_hits(
    counted: pl.LazyFrame, recent: pl.LazyFrame, decision: Decision, atlas: AccountabilityMap
) -> pl.LazyFrame:
    """RuleHit's rows, unsorted.

    Args:
        counted: rule (number), n: events of the whole history.
        recent: rule (number), n: events of the last 28 days.
        decision: The compiled rules.
        atlas: The map.
    """
    rules = pl.LazyFrame(
        [
            {
                "rule": number,
                "rule_id": rule.id,
                "touchpoint_id": rule.touchpoint,
                "position": number,
                "is_shadowed": rule.id in decision.shadowed_by,
                "shadowed_by": ", ".join(decision.shadowed_by.get(rule.id, [])) or None,
            }
            for number, rule in enumerate(atlas.rules, start=1)
        ],
        schema={"rule": pl.UInt16, **RuleHit.published_schema()},
    ).drop("event_count", "event_28d_count")
    ever = counted.group_by("rule").agg(event_count=pl.col("n").sum())
    lately = recent.group_by("rule").agg(event_28d_count=pl.col("n").sum())
    return (
        rules.join(ever, on="rule", how="left")
        .join(lately, on="rule", how="left")
        .with_columns(pl.col("event_count", "event_28d_count").fill_null(0))
        .select(RuleHit.column_names())
    )


def events_unmatched(parts: pl.DataFrame, codebook: Codebook) -> pl.DataFrame:
    """FactEventUnmatched's rows, unsorted.

    Args:
        parts: feed, kind, channel (codes), customer, n, first_at, last_at.
        codebook: What the codes stand for.
    """
    signature = ("feed", "kind", "channel")
    number, found = numbered(parts.select(signature))
    names, signatures = [*map(str, range(found.height))], found.rows()
    lived = Lived.of(names, number, parts["customer"].to_numpy(), parts["n"].to_numpy())
    alike: dict[tuple[int, int], list[str]] = {}
    for name, (feed, kind, _) in zip(names, signatures, strict=True):
        alike.setdefault((feed, kind), []).append(name)
    of_kind = {key: lived.stake(every)[1] for key, every in alike.items()}
    told = [
        (*lived.stakes[name], of_kind[feed, kind])
        for name, (feed, kind, _) in zip(names, signatures, strict=True)
    ]
    counts = ("event_count", "customer_count", "kind_customer_count")
    counted = pl.DataFrame(told, schema=dict.fromkeys(counts, pl.Int64), orient="row")
    when = parts.group_by(signature).agg(first_at=pl.col("first_at").min(), last_at=pl.col("last_at").max())
    summed = (
        found.hstack(counted)
        .join(when, on=signature)
        .with_columns(codebook.decoded(name) for name in signature)
        .with_columns(pl.col("channel").fill_null(NONE))
    )
    slug = pl.col("kind").str.replace_all(r"[^a-z0-9_]+", "_")
    rule = pl.format("id: {}, touchpoint: ..., feed: {}, kind: {}", slug, "feed", "kind")
    braced = pl.concat_str(pl.lit("{"), rule, pl.lit("}"))
    return summed.with_columns(suggested_rule=braced).select(FactEventUnmatched.column_names())
