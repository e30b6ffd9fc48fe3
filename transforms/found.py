"""Rules that matched and events that none did, with a rule to paste for them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from contracts.accountability import AccountabilityMap
from contracts.events import Codebook
from contracts.tables import FactEventUnmatched, RuleHit
from transforms.groups import numbered
from transforms.lived import Lived, Rows
from transforms.rules import Decision

NONE = "(none)"
SIGNATURE = ("feed", "kind", "channel")


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


@dataclass(frozen=True)
class Unmatched:
    """Events that no rule matched.

    Attributes:
        seen: feed, kind, channel (codes), first_at, last_at; no signature twice.
        lived: Events and customers, by the number of the signature as text, see `_numbers`.
    """

    seen: pl.DataFrame
    lived: Lived

    @classmethod
    def of(cls, parts: Iterable[pl.DataFrame]) -> "Unmatched":
        """What parts tell: feed, kind, channel (codes), customer, n, first_at, last_at; gone over three times."""
        seen = _seen(pl.concat([_seen(part) for part in parts]))
        numbers = np.sort(np.array(_numbers(seen), dtype=np.int64))
        return cls(seen, Lived.of_parts([str(one) for one in numbers.tolist()], _ByNumber(parts, numbers)))

    def with_more(self, parts: pl.DataFrame) -> "Unmatched":
        """What is told already, and what more parts tell."""
        if parts.is_empty():
            return self
        number, found = numbered(parts.select(SIGNATURE))
        names = [str(one) for one in _numbers(found)]
        lived = self.lived.with_more(names, number, parts["customer"].to_numpy(), parts["n"].to_numpy())
        return Unmatched(_seen(pl.concat([self.seen, _seen(parts)])), lived)


@dataclass(frozen=True)
class _ByNumber:
    """Parts of unmatched events with the places of their signatures among all: as `Lived.of_parts` goes over them.

    Attributes:
        parts: The parts.
        numbers: Numbers of all signatures, ascending.
    """

    parts: Iterable[pl.DataFrame]
    numbers: np.ndarray

    def __iter__(self) -> Iterator[Rows]:
        for part in self.parts:
            number, found = numbered(part.select(SIGNATURE))
            places = np.searchsorted(self.numbers, np.array(_numbers(found), dtype=np.int64))
            yield places[number], part["customer"].to_numpy(), part["n"].to_numpy()


def _seen(parts: pl.DataFrame) -> pl.DataFrame:
    return parts.group_by(SIGNATURE).agg(first_at=pl.col("first_at").min(), last_at=pl.col("last_at").max())


def _numbers(signatures: pl.DataFrame) -> list[int]:
    """A signature as one number, by row."""
    feed, kind, channel = (pl.col(name).cast(pl.Int64) for name in SIGNATURE)
    return signatures.select(feed * 2**32 + kind * 2**16 + channel).to_series().to_list()


def events_unmatched(unmatched: Unmatched, codebook: Codebook) -> pl.DataFrame:
    """FactEventUnmatched's rows, unsorted.

    Args:
        unmatched: The events.
        codebook: What the codes stand for.
    """
    found, lived = unmatched.seen, unmatched.lived
    names, signatures = [str(one) for one in _numbers(found)], found.select(SIGNATURE).rows()
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
    summed = (
        found.hstack(counted)
        .with_columns(codebook.decoded(name) for name in SIGNATURE)
        .with_columns(pl.col("channel").fill_null(NONE))
    )
    slug = pl.col("kind").str.replace_all(r"[^a-z0-9_]+", "_")
    rule = pl.format("id: {}, touchpoint: ..., feed: {}, kind: {}", slug, "feed", "kind")
    braced = pl.concat_str(pl.lit("{"), rule, pl.lit("}"))
    return summed.with_columns(suggested_rule=braced).select(FactEventUnmatched.column_names())
