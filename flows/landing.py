"""Deliveries read, judged and kept: what a feed offers, held against what is known of it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import polars as pl

from contracts.deliveries import Delivery
from contracts.errors import FeedError
from contracts.feeds import Feed, Stream
from flows.feeds import Offer, load
from flows.progress import Tell
from flows.workspace import LoadedWorkspace
from transforms.identity import Hasher
from transforms.land import Landed, Recipe, land, retell
from warehouse.store import EventStore, State

_READING, _MAPPING = "reading 1", "mapping 1"
"""Changed when the code reads or tells otherwise: everything is then read or told anew."""
_READ_FIELDS = {
    "format",
    "separator",
    "encoding",
    "fallback_encoding",
    "nulls",
    "decimal",
    "each",
    "line_limit_bytes",
}


@dataclass(frozen=True)
class FeedLanding:
    """What became of one feed's deliveries in a run.

    Attributes:
        feed: The feed.
        deliveries: All of its deliveries after the run.
        read: Those that this run read or told anew, held and repeated ones included.
        superseded: Ids of deliveries that were read or told anew.
    """

    feed: str
    deliveries: tuple[Delivery, ...] = ()
    read: tuple[Delivery, ...] = ()
    superseded: frozenset[str] = field(default_factory=frozenset)

    @property
    def fresh(self) -> list[Delivery]:
        """Deliveries whose events have yet to be absorbed."""
        return [delivery for delivery in self.read if delivery.state == "accepted"]


@dataclass(frozen=True)
class _Kitchen:
    """Everything that reading one stream needs."""

    workspace: LoadedWorkspace
    store: EventStore
    feed: Feed
    stream: Stream
    recipe: Recipe
    hasher: Hasher
    reading: str
    mapping: str


def land_feed(
    workspace: LoadedWorkspace, feed: Feed, store: EventStore, state: State, tell: Tell
) -> FeedLanding:
    """Read what a feed offers and is not yet known; nothing is committed.

    Args:
        workspace: The workspace.
        feed: The feed.
        store: Where deliveries are kept.
        state: What is known.
        tell: Told of every file.
    """
    landed = FeedLanding(feed.name)
    for stream in feed.declared.streams:
        kitchen = _kitchen(workspace, feed, stream, store)
        known = [d for d in state.deliveries if (d.feed, d.stream) == (feed.name, stream.name)]
        offers = load(feed.declared.kind).offers(stream, workspace.root)
        after: list[Delivery] = []
        read: list[Delivery] = []
        for index, (offer, before) in enumerate(_paired(offers, known)):
            now = _served(kitchen, offer, before, after)
            after.append(now)
            if now is not before:
                read.append(now)
            tell(f"{feed.name}.{stream.name}", index + 1, len(offers))
        replaced = {d.id for d in known} - {d.id for d in after}
        landed = FeedLanding(
            feed.name,
            (*landed.deliveries, *after),
            (*landed.read, *read),
            landed.superseded | replaced,
        )
    return landed


def _paired(
    offers: Sequence[Offer], known: Sequence[Delivery]
) -> Iterator[tuple[Offer | None, Delivery | None]]:
    """Every offer with what is known of it, and what is known but no longer offered, by name."""
    by_content = {(d.source, d.sha256): d for d in known}
    pairs: list[tuple[Offer | None, Delivery | None]] = [
        (offer, by_content.pop((offer.name, offer.sha256), None)) for offer in offers
    ]
    pairs += [(None, delivery) for delivery in by_content.values()]
    yield from sorted(pairs, key=lambda pair: pair[0].name if pair[0] else pair[1].source if pair[1] else "")


def _served(
    kitchen: _Kitchen, offer: Offer | None, before: Delivery | None, after: Sequence[Delivery]
) -> Delivery:
    """One delivery as it stands after the run: as before, told anew, or read anew."""
    if before and (before.reading == kitchen.reading or offer is None):
        # A file that is gone cannot be read by a changed contract; its rows are still there.
        if before.mapping == kitchen.mapping or before.state != "accepted":
            return before
        return _told_anew(kitchen, before)
    if offer is None:
        message = "a delivery is neither offered nor known"
        raise AssertionError(message)
    twin = next((d for d in after if d.sha256 == offer.sha256 and d.state != "repeated"), None)
    return _repeated(kitchen, offer, twin) if twin else _read(kitchen, offer)


def _read(kitchen: _Kitchen, offer: Offer) -> Delivery:
    draft = _draft(kitchen, offer)
    try:
        reading = load(kitchen.feed.declared.kind).read(offer, kitchen.stream, kitchen.recipe.shape)
    except FeedError as error:
        return replace(draft, state="held", reason=str(error))
    landed = land(reading, kitchen.recipe, kitchen.hasher, draft.id)
    if landed.quarantine_share > kitchen.recipe.shape.quarantine_rate_max:
        return _held(kitchen, draft, landed)
    return replace(
        draft,
        rows_read=landed.rows_read,
        rows_accepted=landed.rows.height,
        rows_quarantined=landed.rejects.height,
        rows_duplicate=landed.rows_duplicate,
        event_count=landed.events.height,
        reasons=landed.reasons,
        newest_event_at=_newest(landed.events),
        parts=_kept(kitchen, landed),
    )


def _held(kitchen: _Kitchen, draft: Delivery, landed: Landed) -> Delivery:
    limit = kitchen.recipe.shape.quarantine_rate_max
    worst = ", ".join(f"{reason} {count:,}" for reason, count in landed.reasons.items())
    reason = (
        f"{landed.rejects.height:,} of {landed.rows_read:,} rows broke the contract ({worst}), more than "
        f"{limit:.0%}. None of it counts. Mend the delivery, or the contract's maxQuarantineRate."
    )
    return replace(
        draft,
        state="held",
        reason=f"{draft.source}: {reason}",
        rows_read=landed.rows_read,
        rows_quarantined=landed.rows_read,
        reasons=landed.reasons,
        parts=_kept(kitchen, landed, ("rows", "rejects")),
    )


def _told_anew(kitchen: _Kitchen, before: Delivery) -> Delivery:
    draft = replace(before, id=_id(before.sha256, kitchen), mapping=kitchen.mapping)
    events = retell(kitchen.store.landed(before.parts["rows"]), kitchen.recipe, draft.id)
    path = kitchen.store.land(kitchen.feed.name, kitchen.stream.name, "events", events)
    return replace(
        draft,
        event_count=events.height,
        newest_event_at=_newest(events),
        parts={**before.parts, "events": path},
    )


def _repeated(kitchen: _Kitchen, offer: Offer, twin: Delivery) -> Delivery:
    return replace(
        _draft(kitchen, offer),
        id=f"{twin.id}.{hashlib.sha256(offer.name.encode()).hexdigest()[:6]}",
        state="repeated",
        reason=f"{offer.name} has the bytes of {twin.source}.",
        rows_read=twin.rows_read,
        rows_duplicate=twin.rows_read,
    )


def _draft(kitchen: _Kitchen, offer: Offer) -> Delivery:
    return Delivery(
        id=_id(offer.sha256, kitchen),
        feed=kitchen.feed.name,
        stream=kitchen.stream.name,
        source=offer.name,
        sha256=offer.sha256,
        reading=kitchen.reading,
        mapping=kitchen.mapping,
        state="accepted",
    )


def _id(sha256: str, kitchen: _Kitchen) -> str:
    return f"{sha256[:16]}.{kitchen.reading[:6]}.{kitchen.mapping[:6]}"


def _kept(
    kitchen: _Kitchen, landed: Landed, parts: Sequence[str] = ("rows", "rejects", "events", "links")
) -> dict[str, str]:
    frames = {part: getattr(landed, part) for part in parts}
    return {
        part: kitchen.store.land(kitchen.feed.name, kitchen.stream.name, part, frame)
        for part, frame in frames.items()
        if frame.height or part in ("rows", "events")
    }


def _newest(events: pl.DataFrame) -> str | None:
    newest = cast("datetime | None", events["occurred_at"].max())
    return newest.isoformat() if newest is not None else None


def _kitchen(workspace: LoadedWorkspace, feed: Feed, stream: Stream, store: EventStore) -> _Kitchen:
    settings, shape = workspace.settings, feed.shapes[stream.name]
    latest = workspace.now + timedelta(minutes=settings.expect_future_minutes)
    hasher = Hasher(workspace.identity_key(), settings.identity.phone_region)
    read = [
        _READING,
        stream.model_dump(mode="json", include=_READ_FIELDS),
        shape.model_dump(mode="json"),
        settings.timezone,
        hasher.fingerprint(),
    ]
    told = [
        _MAPPING,
        feed.name,
        stream.name,
        stream.model_dump(mode="json", include={"melt", "let", "events"}),
    ]
    recipe = Recipe(feed.name, stream, shape, settings.timezone, latest)
    return _Kitchen(workspace, store, feed, stream, recipe, hasher, _hash(read), _hash(told))


def _hash(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
