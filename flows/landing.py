"""Deliveries read, judged and kept: what a feed offers, held against what is known of it.

A delivery is its content: the same bytes under another name are the same delivery. What a name offers
now replaces what it offered before, unless it cannot be read: then the last good content stays. A file
that is gone was delivered all the same; only what was held is forgotten with its file. Of several
deliveries that tell of one event the last by name counts, in whatever order they came.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import polars as pl

from contracts.deliveries import Delivery, RuleResult
from contracts.errors import FeedError
from contracts.feeds import Feed, Stream
from contracts.odcs import SchemaObject
from flows.decisions import Decision
from flows.feeds import Offer, load
from flows.progress import Tell, silent
from flows.references import references_of, streams_in_order
from flows.workspace import LoadedWorkspace
from transforms.identity import Hasher
from transforms.land import (
    PLACE,
    Amendments,
    Landed,
    Recipe,
    candidates_of,
    counted,
    land,
    readmit,
    retell,
)
from transforms.normalize import AMBIGUOUS_KEY, event_violations
from warehouse.store import EventStore, State

_READING, _MAPPING = "reading 3", "mapping 2"
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
        superseded: Ids of deliveries that were read or told anew, or that count no more.
        fresh: Deliveries whose events have yet to be absorbed, in the order in which they count: those
            read anew, and those that tell of the same events as one that was or that is superseded.
    """

    feed: str
    deliveries: tuple[Delivery, ...] = ()
    read: tuple[Delivery, ...] = ()
    superseded: frozenset[str] = field(default_factory=frozenset)
    fresh: tuple[Delivery, ...] = ()


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
    references: str = ""
    decision: Decision | None = None

    @property
    def where(self) -> str:
        """The stream, as `feed.stream`."""
        return f"{self.feed.name}.{self.stream.name}"

    def mapping_of(self, before: Delivery) -> str:
        """How a delivery's rows are told now.

        Those of a gone file that was read otherwise: by today's expressions and column types.
        """
        return self.mapping if before.reading == self.reading else _hash([self.mapping, self.reading])


@dataclass(frozen=True)
class Setting:
    """What landing a feed needs besides the feed.

    Attributes:
        workspace: The workspace.
        store: Where deliveries are kept.
        state: What is known.
        tell: Told of every file.
        decision: What was decided by hand about rows in quarantine.
    """

    workspace: LoadedWorkspace
    store: EventStore
    state: State
    tell: Tell = silent
    decision: Decision | None = None


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
        kitchen = _kitchen(setting, feed, stream, [*others, *landed.deliveries])
        made = _land_stream(kitchen, own, setting.tell)
        landed = FeedLanding(
            feed.name,
            landed.deliveries + made.deliveries,
            landed.read + made.read,
            landed.superseded | made.superseded,
            landed.fresh + made.fresh,
        )
    return landed


def _land_stream(kitchen: _Kitchen, known: Sequence[Delivery], tell: Tell) -> FeedLanding:
    offers = load(kitchen.feed.declared.kind).offers(kitchen.stream, kitchen.workspace.root)
    contents = list(_contents(offers, known))
    after: list[Delivery] = []
    for done, content in enumerate(contents, start=1):
        now = _decided(kitchen, _served(kitchen, content))
        copies = (_repeated(kitchen, offer, now) for offer in content.copies)
        after += [now, *copies]
        tell(f"{kitchen.feed.name}.{kitchen.stream.name}", done, len(contents))
    after += _last_good(kitchen, known, after)
    after.sort(key=lambda d: (d.source, d.state != "accepted"))
    before = {(d.source, d.sha256): d for d in known}
    renamed = {d.id for d in known}
    # Only its name is new when a delivery's own file is gone and a copy of it stays.
    read = [
        d
        for d in after
        if d != before.get((d.source, d.sha256)) and (d.state == "repeated" or d.id not in renamed)
    ]
    superseded = {d.id for d in known} - {d.id for d in after}
    fresh = _fresh(kitchen, after, {d.id for d in read}, [d for d in known if d.id in superseded])
    return FeedLanding(kitchen.feed.name, tuple(after), tuple(read), frozenset(superseded), tuple(fresh))


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


def _contents(offers: Sequence[Offer], known: Sequence[Delivery]) -> Iterator[_Content]:
    """What is delivered, every content once, by the first name that delivers it."""
    offered = {offer.name: offer for offer in offers}
    before = {d.sha256: d for d in known if d.state != "repeated"}
    claims: dict[str, set[str]] = {}
    for offer in offers:
        claims.setdefault(offer.sha256, set()).add(offer.name)
    for delivery in known:
        own = before.get(delivery.sha256)
        if delivery.source not in offered and own is not None and own.state == "accepted":
            claims.setdefault(delivery.sha256, set()).add(delivery.source)
    for sha256, names in claims.items():
        own = before.get(sha256)
        there = sorted(names & offered.keys())
        # A gone file's content goes on under the name of a copy that is still there.
        source = own.source if own and own.source in (there or names) else min(there or names)
        copies = [offered[name] for name in there if name != source]
        yield _Content(source, offered.get(source), own, copies)


def _last_good(kitchen: _Kitchen, known: Sequence[Delivery], after: Sequence[Delivery]) -> Iterator[Delivery]:
    """Deliveries whose name now offers something that is held: they count until it is mended."""
    there = {d.sha256 for d in after}
    held = {d.source for d in after if d.state == "held"}
    twins = {d.source for d in after if d.state == "repeated" and _holds(after, d.sha256)}
    for delivery in known:
        if delivery.state == "accepted" and delivery.sha256 not in there and delivery.source in held | twins:
            yield _served(kitchen, _Content(delivery.source, None, delivery, ()))


def _holds(deliveries: Iterable[Delivery], sha256: str) -> bool:
    return any(d.sha256 == sha256 and d.state == "held" for d in deliveries)


def _served(kitchen: _Kitchen, content: _Content) -> Delivery:
    """One content as it stands after the run: as before, told anew, or read anew."""
    before, offer = content.before, content.offer
    if offer is not None and (before is None or _reads_otherwise(kitchen, before)):
        return _read(kitchen, offer, before)
    if before is None:
        message = "a delivery is neither offered nor known"
        raise AssertionError(message)
    before = replace(before, source=content.source)
    if before.state != "accepted" or before.mapping == kitchen.mapping_of(before):
        return before
    # Rows that could not be told are only in the file: other expressions may do better.
    return _read(kitchen, offer, before) if offer and _untold(before) else _told_anew(kitchen, before)


def _reads_otherwise(kitchen: _Kitchen, before: Delivery) -> bool:
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
    kitchen: _Kitchen, after: Sequence[Delivery], read: set[str], superseded: Sequence[Delivery]
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


def _event_ids(kitchen: _Kitchen, delivery: Delivery) -> pl.DataFrame:
    return kitchen.store.landed(delivery.parts["events"]).select("event_id")


def _read(kitchen: _Kitchen, offer: Offer, before: Delivery | None = None) -> Delivery:
    """A delivery read from its file; what was decided by hand about its rows goes on."""
    parts = {} if before is None else {k: v for k, v in before.parts.items() if k in ("mended", "dropped")}
    draft = replace(_draft(kitchen, offer, parts), parts=parts)
    amended = Amendments(**{part: kitchen.store.landed(path) for part, path in parts.items()})
    try:
        reading = load(kitchen.feed.declared.kind).read(offer, kitchen.stream, kitchen.recipe.shape)
        landed = land(reading, kitchen.recipe, kitchen.hasher, draft.id, amended)
    except FeedError as error:
        # What a message shows of the file, a header that is a row of data, may tell of a person.
        return replace(draft, state="held", reason=kitchen.hasher.redact(str(error)))
    except pl.exceptions.PolarsError as error:
        return replace(draft, state="held", reason=_untellable(kitchen, draft, error))
    return _judged(kitchen, draft, landed)


def _judged(kitchen: _Kitchen, draft: Delivery, landed: Landed) -> Delivery:
    """The delivery once its rows are judged: accepted, or held whole for their number or their faults."""
    shape, volume = kitchen.recipe.shape, list(_volume(kitchen.recipe.shape, landed))
    wrong = next((r for r in volume if r.severity == "error" and r.state != "passed"), None)
    judged = replace(
        draft,
        rows_read=landed.rows_read,
        rows_quarantined=landed.rejects.height,
        rows_duplicate=landed.rows_duplicate,
        rows_dropped=landed.rows_dropped,
        rows_accepted=landed.rows.height,
        reasons=landed.reasons,
        results=(*landed.results, *volume),
    )
    if wrong is not None:
        rule = next(rule for rule in shape.volume if rule.id == wrong.name)
        said = (
            f"has {landed.rows_read:,} rows, and rule {rule.id!r} says {rule.said_limit}. None of it counts."
        )
        remedy = "Deliver it again whole, or mend the contract's rule."
        return _held(kitchen, judged, landed, f"{said} {remedy}")
    if landed.quarantine_share > shape.quarantine_rate_max:
        worst = ", ".join(f"{reason} {count:,}" for reason, count in landed.reasons.items())
        said = (
            f"{landed.rejects.height:,} of {landed.rows_read:,} rows broke the contract ({worst}), more than "
            f"{shape.quarantine_rate_max:.0%}. None of it counts. Mend the delivery, or the contract's "
            "maxQuarantineRate."
        )
        return _held(kitchen, judged, landed, said)
    return replace(
        judged,
        event_count=landed.events.height,
        newest_event_at=_newest(landed.events),
        parts={**draft.parts, **_kept(kitchen, landed)},
    )


def _volume(shape: SchemaObject, landed: Landed) -> Iterator[RuleResult]:
    rows = landed.rows_read
    for rule in shape.volume:
        is_kept = rule.keeps(rows, rows)
        state = "passed" if is_kept else "failed"
        yield RuleResult(rule.id, rule.severity, rows, 0 if is_kept else rows, state)


def _untellable(kitchen: _Kitchen, draft: Delivery, error: pl.exceptions.PolarsError) -> str:
    said = kitchen.hasher.redact(str(error).splitlines()[0].partition(": [")[0])
    where = f"{kitchen.feed.name}.{kitchen.stream.name}"
    return (
        f"{draft.source}: an expression of {where} cannot be computed of its rows: {said}. "
        "Mend the expression; TRY_CAST gives null where CAST fails."
    )


def _held(kitchen: _Kitchen, judged: Delivery, landed: Landed, said: str) -> Delivery:
    kept = _kept(kitchen, landed, ("rows", "rejects"))
    return replace(
        judged,
        state="held",
        reason=f"{judged.source}: {said}",
        rows_accepted=0,
        rows_quarantined=judged.rows_read - judged.rows_dropped,
        rows_duplicate=0,
        parts={**judged.parts, **kept},
    )


def _decided(kitchen: _Kitchen, delivery: Delivery) -> Delivery:
    """A delivery after what was decided by hand about its rows in quarantine."""
    decision = kitchen.decision
    if decision is None or "rejects" not in delivery.parts or not decision.is_about(delivery):
        return delivery
    rejects = kitchen.store.landed(delivery.parts["rejects"])
    chosen = decision.choose(rejects, delivery.source)
    if chosen.is_empty():
        return delivery
    change = _dropped if decision.what == "drop" else _readmitted
    return change(kitchen, delivery, rejects, chosen)


def _dropped(kitchen: _Kitchen, before: Delivery, rejects: pl.DataFrame, chosen: pl.DataFrame) -> Delivery:
    """The delivery without rows that are given up; they are kept in landing, and counted."""
    dropped = _with_part(kitchen, before, "dropped", chosen)
    left = rejects.join(chosen, on=PLACE, how="anti", nulls_equal=True, maintain_order="left")
    rows = kitchen.store.landed(before.parts["rows"])
    landed = readmit(rows, candidates_of(left.clear(), kitchen.recipe.shape, None), *_who(kitchen, before))
    return _amended(kitchen, before, landed, left, {"dropped": dropped})


def _readmitted(kitchen: _Kitchen, before: Delivery, rejects: pl.DataFrame, chosen: pl.DataFrame) -> Delivery:
    """The delivery with those of its rows in quarantine re-admitted that keep today's contract."""
    decision, shape = kitchen.decision, kitchen.recipe.shape
    mended = decision.rows_of(before.source) if decision else None
    again = candidates_of(chosen, shape, mended)
    rows = kitchen.store.landed(before.parts["rows"])
    landed = readmit(rows, again, *_who(kitchen, before))
    sound = landed.rows.join(again, on=PLACE, how="semi", nulls_equal=True, maintain_order="left")
    if sound.is_empty():
        return before
    left = rejects.join(sound, on=PLACE, how="anti", nulls_equal=True, maintain_order="left")
    return _amended(kitchen, before, landed, left, {"mended": _with_part(kitchen, before, "mended", sound)})


def _who(kitchen: _Kitchen, before: Delivery) -> tuple[Recipe, Hasher, str]:
    return kitchen.recipe, kitchen.hasher, before.id


def _with_part(kitchen: _Kitchen, before: Delivery, part: str, rows: pl.DataFrame) -> pl.DataFrame:
    known = before.parts.get(part)
    return pl.concat([kitchen.store.landed(known), rows], how="diagonal_relaxed") if known else rows


def _amended(
    kitchen: _Kitchen, before: Delivery, landed: Landed, left: pl.DataFrame, parts: Mapping[str, pl.DataFrame]
) -> Delivery:
    """A delivery after its rows were re-admitted or given up, under an id of its own.

    Args:
        kitchen: The stream.
        before: The delivery before.
        landed: Its accepted rows, judged.
        left: `REJECTS` that go on waiting.
        parts: What was decided by hand, all of it.
    """
    kept = {
        part: kitchen.store.land(kitchen.feed.name, kitchen.stream.name, part, frame)
        for part, frame in parts.items()
    }
    decided = {k: v for k, v in before.parts.items() if k in ("mended", "dropped")} | kept
    identity = _id(kitchen, before.sha256, kitchen.references, decided)
    dropped = kitchen.store.landed(decided["dropped"]).height if "dropped" in decided else 0
    whole = replace(
        landed,
        rejects=left,
        events=landed.events.with_columns(landing=pl.lit(identity)),
        reasons=counted(left),
        results=tuple(_carried(kitchen, before, landed, left)),
        rows_dropped=dropped,
        rows_read=before.rows_read,
        rows_duplicate=before.rows_read - landed.rows.height - left.height - dropped,
    )
    label = kitchen.feed.contracts[kitchen.stream.name].label
    draft = replace(
        before,
        id=identity,
        state="accepted",
        reason=None,
        parts=decided,
        contract=label,
        references=kitchen.references,
    )
    return _judged(kitchen, draft, whole)


def _carried(kitchen: _Kitchen, before: Delivery, landed: Landed, left: pl.DataFrame) -> Iterator[RuleResult]:
    """How the rules fared once rows were re-admitted or given up: what still waits still counts."""
    waiting, volume = counted(left), {rule.id for rule in kitchen.recipe.shape.volume}
    known = {rule.name: rule for rule in (*landed.results, *before.results) if rule.name not in volume}
    for rule in known.values():
        failed = waiting.get(rule.name, 0)
        if rule.severity == "warning" or rule.state == "passed":
            yield rule
        else:
            yield rule._replace(failed=failed, state=rule.state if failed else "passed")


def _told_anew(kitchen: _Kitchen, before: Delivery) -> Delivery:
    """An accepted delivery told by other expressions, of what was landed; rows they fail on are rejects."""
    identity = _id(kitchen, before.sha256, before.references, before.parts)
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
        newest_event_at=_newest(landed.events),
        results=tuple(_told_results(before, landed)),
        parts={
            **{k: v for k, v in before.parts.items() if k in ("mended", "dropped")},
            **_kept(kitchen, replace(landed, rejects=rejects.sort("line", maintain_order=True))),
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


def _repeated(kitchen: _Kitchen, offer: Offer, twin: Delivery) -> Delivery:
    return replace(
        _draft(kitchen, offer),
        id=f"{twin.id}.{hashlib.sha256(offer.name.encode()).hexdigest()[:6]}",
        state="repeated",
        reason=f"{offer.name} has the bytes of {twin.source}.",
        rows_read=twin.rows_read,
        rows_duplicate=twin.rows_read,
    )


def _draft(kitchen: _Kitchen, offer: Offer, parts: Mapping[str, str] | None = None) -> Delivery:
    return Delivery(
        id=_id(kitchen, offer.sha256, kitchen.references, parts or {}),
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


def _id(kitchen: _Kitchen, sha256: str, references: str, parts: Mapping[str, str]) -> str:
    """A delivery's id: its content, how it is read and told, and what was decided by hand about it."""
    decided = [parts[part] for part in ("mended", "dropped") if part in parts]
    made = [sha256[:16], kitchen.reading[:6], kitchen.mapping[:6]]
    more = [references[:6]] if references else []
    return ".".join([*made, *more, *([_hash(decided)[:6]] if decided else [])])


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


def _kitchen(setting: Setting, feed: Feed, stream: Stream, landed: Sequence[Delivery]) -> _Kitchen:
    workspace = setting.workspace
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
    references = references_of(workspace, feed, stream, setting.store, landed)
    recipe = Recipe(feed.name, stream, shape, settings.timezone, latest, references)
    pointed = _hash({to: values.to_list() for to, values in references.items()}) if references else ""
    return _Kitchen(
        workspace,
        setting.store,
        feed,
        stream,
        recipe,
        hasher,
        _hash(read),
        _hash(told),
        pointed,
        setting.decision,
    )


def _hash(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
