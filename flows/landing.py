"""Deliveries read, judged and kept: what a feed offers, held against what is known of it.

A delivery is its content: the same bytes under another name are the same delivery. What a name offers
now replaces what it offered before, unless it cannot be read: then the last good content stays. A file
that is gone was delivered all the same; only what was held is forgotten with its file. Of several
deliveries that tell of one event the last by name counts, in whatever order they came.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from contracts.deliveries import Delivery, RuleResult
from contracts.errors import FeedError
from contracts.feeds import Feed
from flows.amending import with_decision
from flows.feeds import Offer, load
from flows.feeds.push import Joined
from flows.kitchen import (
    Kitchen,
    Setting,
    delivery_id,
    judged_delivery,
    keep_parts,
    kitchen_of,
    newest_event,
)
from flows.progress import Tell
from flows.references import streams_in_order
from flows.validation import Validated
from transforms.land import (
    Amendments,
    Landed,
    land,
    retell,
)
from transforms.normalize import AMBIGUOUS_KEY, event_violations
from transforms.pushed import land_pushed


@dataclass(frozen=True)
class FeedLanding:
    """What became of one feed's deliveries in a run.

    Attributes:
        feed: The feed.
        deliveries: All of its deliveries after the run.
        read: Those that this run read or told anew, held and repeated ones included.
        superseded: Ids of deliveries that were read or told anew, or that count no more.
        fresh: Deliveries whose events have yet to be absorbed, in the order in which they count: those
            read anew, and those that tell of the same events as one that was or that is superseded.
        validated: What Great Expectations judged, by stream; empty where it judged nothing.
        left: Files that stand beside what its streams offer, by their names below the workspace.
    """

    feed: str
    deliveries: tuple[Delivery, ...] = ()
    read: tuple[Delivery, ...] = ()
    superseded: frozenset[str] = field(default_factory=frozenset)
    fresh: tuple[Delivery, ...] = ()
    validated: tuple[Validated, ...] = ()
    left: frozenset[str] = field(default_factory=frozenset)


def land_feed(setting: Setting, feed: Feed, before: Sequence[FeedLanding] = ()) -> FeedLanding:
    """Read what a feed offers and is not yet known; nothing is committed.

    Args:
        setting: Workspace, store, what is known.
        feed: The feed.
        before: Feeds that landed before in this run: relationships may point to them.
    """
    known = [d for d in setting.state.deliveries if d.feed == feed.name]
    declared = {stream.name for stream in feed.declared.streams}
    # A stream that has left its feed leaves the store too.
    gone = frozenset(d.id for d in known if d.stream not in declared)
    landed = FeedLanding(feed.name, superseded=gone)
    others = [delivery for landing in before for delivery in landing.deliveries]
    for stream in streams_in_order(feed):
        own = [d for d in known if d.stream == stream.name]
        kitchen = kitchen_of(setting, feed, stream, [*others, *landed.deliveries])
        made = _land_stream(kitchen, own, setting.tell)
        landed = FeedLanding(
            feed.name,
            landed.deliveries + made.deliveries,
            landed.read + made.read,
            landed.superseded | made.superseded,
            landed.fresh + made.fresh,
            landed.validated + made.validated,
            landed.left | made.left,
        )
    return landed


def _land_stream(kitchen: Kitchen, known: Sequence[Delivery], tell: Tell) -> FeedLanding:
    kind = kitchen.feed.declared.kind
    offers = load(kind).offers(kitchen.stream, kitchen.workspace.root)
    joined = Joined.of(offer.name for offer in offers) if kind == "push" else Joined()
    contents = list(_contents(offers, known, joined))
    after: list[Delivery] = []
    for done, content in enumerate(contents, start=1):
        now = with_decision(kitchen, _served(kitchen, content))
        copies = (_repeated(kitchen, offer, now) for offer in content.copies)
        after += [now, *copies]
        tell(f"{kitchen.feed.name}.{kitchen.stream.name}", done, len(contents))
    after += _last_good(kitchen, known, after)
    after.sort(key=lambda d: (d.source, d.state != "accepted"))
    before = {(d.source, d.sha256): d for d in known}
    renamed = {d.id for d in known}
    again = {d.id for d in after if _is_otherwise(d, before.get((d.source, d.sha256)))}
    # What only stands in another file now was not delivered anew.
    holders = {joined.holder(d.source) for d in known}
    joins = {d.id: d.source for d in after if d.source in holders and d.state == "accepted"}
    # Only its name is new when a delivery's own file is gone and a copy of it stays.
    read = [
        d
        for d in after
        if d != before.get((d.source, d.sha256))
        and (d.state == "repeated" or d.id not in renamed or d.id in again)
        and d.id not in joins
    ]
    superseded = ({d.id for d in known} - {d.id for d in after}) | again
    withdrawn = [d for d in known if d.id in superseded and joined.holder(d.source) not in joins.values()]
    fresh = _fresh(kitchen, after, {d.id for d in read} | joins.keys(), withdrawn)
    validated = (
        (kitchen.validator.validated,) if kitchen.validator and kitchen.validator.validated.deliveries else ()
    )
    return FeedLanding(
        kitchen.feed.name,
        tuple(after),
        tuple(read),
        frozenset(superseded),
        tuple(fresh),
        validated,
        offers.left,
    )


def _is_otherwise(delivery: Delivery, before: Delivery | None) -> bool:
    """Whether a delivery, read anew the same way, gave something else: it was read by older code, or damaged."""
    return before is not None and before.id == delivery.id and before.parts != delivery.parts


@dataclass(frozen=True)
class _Content:
    """Some bytes and who delivers them.

    Attributes:
        source: The name they count under.
        offer: The file of that name; None when it is gone.
        before: What is known of them; None when they are new.
        copies: Other files with the same bytes.
    """

    source: str
    offer: Offer | None
    before: Delivery | None
    copies: Sequence[Offer]


def _contents(offers: Sequence[Offer], known: Sequence[Delivery], joined: Joined) -> Iterator[_Content]:
    """What is delivered, every content once, by the first name that delivers it."""
    offered = {offer.name: offer for offer in offers}
    before = {d.sha256: d for d in known if d.state != "repeated"}
    claims: dict[str, set[str]] = {}
    for offer in offers:
        claims.setdefault(offer.sha256, set()).add(offer.name)
    for delivery in known:
        own = before.get(delivery.sha256)
        is_gone = delivery.source not in offered and joined.holder(delivery.source) is None
        if is_gone and own is not None and own.state == "accepted":
            claims.setdefault(delivery.sha256, set()).add(delivery.source)
    for sha256, names in claims.items():
        own = before.get(sha256)
        there = sorted(names & offered.keys())
        # A gone file's content goes on under the name of a copy that is still there.
        source = own.source if own and own.source in (there or names) else min(there or names)
        copies = [offered[name] for name in there if name != source]
        yield _Content(source, offered.get(source), own, copies)


def _last_good(kitchen: Kitchen, known: Sequence[Delivery], after: Sequence[Delivery]) -> Iterator[Delivery]:
    """Deliveries whose name now offers something that is held: they count until it is mended."""
    there = {d.sha256 for d in after}
    held = {d.source for d in after if d.state == "held"}
    twins = {d.source for d in after if d.state == "repeated" and _holds(after, d.sha256)}
    for delivery in known:
        if delivery.state == "accepted" and delivery.sha256 not in there and delivery.source in held | twins:
            yield _served(kitchen, _Content(delivery.source, None, delivery, ()))


def _holds(deliveries: Iterable[Delivery], sha256: str) -> bool:
    return any(d.sha256 == sha256 and d.state == "held" for d in deliveries)


def _served(kitchen: Kitchen, content: _Content) -> Delivery:
    """One content as it stands after the run: as before, told anew, or read anew."""
    before, offer = content.before, content.offer
    window = kitchen.window
    is_asked_for = before is not None and window is not None and window.touches(kitchen.store, before)
    if offer is not None and (before is None or is_asked_for or _reads_otherwise(kitchen, before)):
        return read_delivery(kitchen, offer, before)
    if before is None:
        message = "a delivery is neither offered nor known"
        raise AssertionError(message)
    if before.source != content.source:
        before = replace(before, source=content.source)
    is_told_so = before.mapping == kitchen.mapping_of(before) and not is_asked_for
    if before.state != "accepted" or is_told_so:
        return before
    # Rows that could not be told are only in the file: other expressions may do better.
    return read_delivery(kitchen, offer, before) if offer and _untold(before) else _told_anew(kitchen, before)


def _reads_otherwise(kitchen: Kitchen, before: Delivery) -> bool:
    """Whether a delivery may fare otherwise now: its contract has changed, or what it was held for.

    Or rows of it wait for something that they refer to, and that has changed.
    """
    is_held_for_its_mapping = before.state == "held" and before.mapping != kitchen.mapping
    waits = any(one.name.endswith(".reference") and one.failed for one in before.results)
    refers_otherwise = waits and before.references != kitchen.references
    return before.reading != kitchen.reading or is_held_for_its_mapping or refers_otherwise


def _untold(delivery: Delivery) -> bool:
    """Whether expressions are to blame for some of its rejects."""
    blamed = {AMBIGUOUS_KEY, *(name for name, _ in event_violations(datetime.max))}  # noqa: DTZ901 - names only
    of_attributes = (".not_finite", ".too_large")
    return any(reason in blamed or reason.endswith(of_attributes) for reason in delivery.reasons)


def _fresh(
    kitchen: Kitchen, after: Sequence[Delivery], read: set[str], superseded: Sequence[Delivery]
) -> list[Delivery]:
    """Deliveries to absorb, by name.

    Besides those read anew these are known ones that tell of the same events: later ones, because they
    count, and any when a delivery is superseded that had the last word.
    """
    accepted = [d for d in after if d.state == "accepted"]
    first = next((i for i, d in enumerate(accepted) if d.id in read), len(accepted))
    known = [d for d in (accepted if superseded else accepted[first:]) if d.id not in read]
    touched = [*superseded, *(d for d in accepted if d.id in read)]
    told = [_event_ids(kitchen, d) for d in touched if known and "events" in d.parts]
    shared = set[str]()
    if told:
        every = pl.concat(told).unique()
        shared = {d.id for d in known if _event_ids(kitchen, d).join(every, on="event_id", how="semi").height}
    return [d for d in accepted if d.id in read | shared]


def _event_ids(kitchen: Kitchen, delivery: Delivery) -> pl.DataFrame:
    return kitchen.store.landed(delivery.parts["events"]).select("event_id")


def read_delivery(kitchen: Kitchen, offer: Offer, before: Delivery | None = None) -> Delivery:
    """A delivery read from its file; what was decided by hand about its rows goes on."""
    parts = {} if before is None else {k: v for k, v in before.parts.items() if k in ("mended", "dropped")}
    draft = replace(_draft(kitchen, offer, parts), parts=parts)
    amended = Amendments(**{part: kitchen.store.landed(path) for part, path in parts.items()})
    try:
        reading = load(kitchen.feed.declared.kind).read(offer, kitchen.stream, kitchen.recipe.shape)
        given = (reading, kitchen.recipe, kitchen.hasher, draft.id, amended)
        landed, left_out = land_pushed(*given) if reading.pushed else (land(*given), [])
    except FeedError as error:
        # What a message shows of the file, a header that is a row of data, may tell of a person.
        return replace(draft, state="held", reason=kitchen.hasher.redact(str(error)))
    except pl.exceptions.PolarsError as error:
        return replace(draft, state="held", reason=_untellable(kitchen, draft, error))
    return judged_delivery(kitchen, draft, landed, left_out)


def _untellable(kitchen: Kitchen, draft: Delivery, error: pl.exceptions.PolarsError) -> str:
    said = kitchen.hasher.redact(str(error).splitlines()[0].partition(": [")[0])
    where = f"{kitchen.feed.name}.{kitchen.stream.name}"
    return (
        f"{draft.source}: an expression of {where} cannot be computed of its rows: {said}. "
        "Mend the expression; TRY_CAST gives null where CAST fails."
    )


def _told_anew(kitchen: Kitchen, before: Delivery) -> Delivery:
    """An accepted delivery told by other expressions, of what was landed; rows they fail on are rejects."""
    identity = delivery_id(kitchen, before.sha256, before.references, before.parts)
    rows = kitchen.store.landed(before.parts["rows"])
    try:
        landed = retell(rows, kitchen.recipe, kitchen.hasher, identity)
    except pl.exceptions.PolarsError as error:
        reason = _untellable(kitchen, before, error)
        message = f"{kitchen.feed.name}.{kitchen.stream.name}"
        raise FeedError.at(message, reason, "Its last good data stays.") from None
    rejects = landed.rejects
    if "rejects" in before.parts:
        rejects = pl.concat([kitchen.store.landed(before.parts["rejects"]), rejects])
    return replace(
        before,
        id=identity,
        mapping=kitchen.mapping_of(before),
        rows_accepted=landed.rows.height,
        rows_quarantined=before.rows_quarantined + landed.rejects.height,
        event_count=landed.events.height,
        reasons=dict(sorted((Counter(before.reasons) + Counter(landed.reasons)).items())),
        newest_event_at=newest_event(landed.events),
        results=tuple(_told_results(before, landed)),
        parts={
            **{k: v for k, v in before.parts.items() if k in ("mended", "dropped")},
            **keep_parts(kitchen, replace(landed, rejects=rejects.sort("line", maintain_order=True))),
        },
    )


def _told_results(before: Delivery, landed: Landed) -> Iterator[RuleResult]:
    """How the rules fared, with rows that could no longer be told."""
    more = dict(landed.reasons)
    for rule in before.results:
        new = more.pop(rule.name, 0)
        yield rule._replace(failed=rule.failed + new, state="failed") if new else rule
    for name, count in more.items():
        yield RuleResult(name, "error", before.rows_read, count, "failed")


def _repeated(kitchen: Kitchen, offer: Offer, twin: Delivery) -> Delivery:
    return replace(
        _draft(kitchen, offer),
        id=f"{twin.id}.{hashlib.sha256(offer.name.encode()).hexdigest()[:6]}",
        state="repeated",
        reason=f"{offer.name} has the bytes of {twin.source}.",
        rows_read=twin.rows_read,
        rows_duplicate=twin.rows_read,
    )


def _draft(kitchen: Kitchen, offer: Offer, parts: Mapping[str, str] | None = None) -> Delivery:
    return Delivery(
        id=delivery_id(kitchen, offer.sha256, kitchen.references, parts or {}),
        feed=kitchen.feed.name,
        stream=kitchen.stream.name,
        source=offer.name,
        sha256=offer.sha256,
        reading=kitchen.reading,
        mapping=kitchen.mapping,
        state="accepted",
        contract=kitchen.feed.contracts[kitchen.stream.name].label,
        references=kitchen.references,
    )
