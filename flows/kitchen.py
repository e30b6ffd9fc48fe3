"""One stream's kitchen: everything that landing its deliveries needs, and what a judged delivery becomes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

import polars as pl

from contracts.deliveries import Delivery, RuleResult
from contracts.feeds import Feed, Stream
from contracts.odcs import SchemaObject
from flows.decisions import Decision
from flows.feeds.push import span
from flows.progress import Tell, silent
from flows.references import references_of
from flows.validation import GreatExpectations, Validated
from flows.window import Window
from flows.workspace import LoadedWorkspace
from transforms.identity import Hasher
from transforms.land import (
    Landed,
    Recipe,
)
from transforms.pushed import LeftOut
from warehouse.store import EventStore, State

_READING, _MAPPING = "reading 3", "mapping 2"
"""Changed when the code reads or tells otherwise: everything is then read or told anew."""
_PUSHED = "pushed 1"
"""The same, of feeds that are pushed to."""
_TOLD_MAX = 3
"""So many pushed deliveries that do not count are named of one file."""
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
class Setting:
    """What landing a feed needs besides the feed.

    Attributes:
        workspace: The workspace.
        store: Where deliveries are kept.
        state: What is known.
        tell: Told of every file.
        decision: What was decided by hand about rows in quarantine.
        window: Days whose deliveries are read anew though nothing about them has changed.
    """

    workspace: LoadedWorkspace
    store: EventStore
    state: State
    tell: Tell = silent
    decision: Decision | None = None
    window: Window | None = None


@dataclass(frozen=True)
class Kitchen:
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
    validator: GreatExpectations | None = None
    window: Window | None = None

    def is_poured(self, source: str) -> bool:
        """Whether a file was poured: it holds deliveries that stand or fall each by itself."""
        return self.feed.declared.kind == "push" and bool(span(source)[0])

    @property
    def where(self) -> str:
        """The stream, as `feed.stream`."""
        return f"{self.feed.name}.{self.stream.name}"

    def mapping_of(self, before: Delivery) -> str:
        """How a delivery's rows are told now.

        Those of a gone file that was read otherwise: by today's expressions and column types.
        """
        return self.mapping if before.reading == self.reading else hash_of([self.mapping, self.reading])


def kitchen_of(setting: Setting, feed: Feed, stream: Stream, landed: Sequence[Delivery]) -> Kitchen:
    """Everything that landing one stream needs.

    Args:
        setting: Workspace, store, decision.
        feed: The feed.
        stream: Its stream.
        landed: Deliveries that relationships may point to.
    """
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
        *([_PUSHED] if feed.declared.kind == "push" else []),
    ]
    told = [
        _MAPPING,
        feed.name,
        stream.name,
        stream.model_dump(mode="json", include={"melt", "let", "events"}),
    ]
    references = references_of(workspace, feed, stream, setting.store, landed)
    validator = None
    if settings.validation.engine == "great_expectations":
        validator = GreatExpectations(shape, stream, references, Validated(feed.name, stream.name))
    find = validator.find if validator else None
    recipe = Recipe(feed.name, stream, shape, settings.timezone, latest, references, find)
    pointed = hash_of({to: values.to_list() for to, values in references.items()}) if references else ""
    return Kitchen(
        workspace,
        setting.store,
        feed,
        stream,
        recipe,
        hasher,
        hash_of(read),
        hash_of(told),
        pointed,
        setting.decision,
        validator,
        setting.window,
    )


def judged_delivery(
    kitchen: Kitchen, draft: Delivery, landed: Landed, left_out: Sequence[LeftOut] = ()
) -> Delivery:
    """The delivery once its rows are judged: accepted, or held whole for their number or their faults.

    A file that was poured is never held: deliveries in it are left out, each by itself.
    """
    shape = kitchen.recipe.shape
    volume = [] if kitchen.is_poured(draft.source) else _volume(kitchen, landed)
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
    if not kitchen.is_poured(draft.source) and landed.quarantine_share > shape.quarantine_rate_max:
        said = _broken(shape, landed.rejects.height, landed.rows_read, landed.reasons)
        said += " None of it counts. Mend the delivery, or the contract's maxQuarantineRate."
        return _held(kitchen, judged, landed, said)
    return replace(
        judged,
        reason=kitchen.hasher.redact(_said(draft.source, shape, left_out)) if left_out else None,
        event_count=landed.events.height,
        newest_event_at=newest_event(landed.events),
        parts={**draft.parts, **keep_parts(kitchen, landed)},
    )


def _broken(shape: SchemaObject, broken: int, rows: int, reasons: Mapping[str, int]) -> str:
    worst = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
    limit = f"{shape.quarantine_rate_max:.0%}"
    return f"{broken:,} of {rows:,} rows broke the contract ({worst}), more than {limit}."


def _said(source: str, shape: SchemaObject, left_out: Sequence[LeftOut]) -> str:
    """Which pushed deliveries do not count, and why."""
    told = []
    for one in left_out[:_TOLD_MAX]:
        limits = {rule.id: rule.said_limit for rule in shape.volume}
        said = f"has {one.rows:,} rows, and rule {one.rule!r} says {limits[one.rule]}." if one.rule else ""
        told.append(f"delivery {one.name}: {said or _broken(shape, one.broken, one.rows, one.reasons)}")
    if len(left_out) > _TOLD_MAX:
        told.append(f"{len(left_out) - _TOLD_MAX:,} deliveries more.")
    remedy = (
        "None of it counts; its rows are in quarantine. Have it sent anew, mend the contract, or re-admit what is "
        "sound: answerable quarantine replay."
    )
    return f"{source}: {' '.join(told)} {remedy}"


def _volume(kitchen: Kitchen, landed: Landed) -> list[RuleResult]:
    rows = landed.rows_read
    if kitchen.validator is not None:
        return kitchen.validator.volume(rows)
    kept = [(rule, rule.keeps(rows, rows)) for rule in kitchen.recipe.shape.volume]
    return [
        RuleResult(rule.id, rule.severity, rows, 0 if is_kept else rows, "passed" if is_kept else "failed")
        for rule, is_kept in kept
    ]


def _held(kitchen: Kitchen, judged: Delivery, landed: Landed, said: str) -> Delivery:
    kept = keep_parts(kitchen, landed, ("rows", "rejects"))
    return replace(
        judged,
        state="held",
        reason=f"{judged.source}: {said}",
        rows_accepted=0,
        rows_quarantined=judged.rows_read - judged.rows_dropped,
        rows_duplicate=0,
        parts={**judged.parts, **kept},
    )


def keep_parts(
    kitchen: Kitchen, landed: Landed, parts: Sequence[str] = ("rows", "rejects", "events", "links")
) -> dict[str, str]:
    """Keep what a delivery gave, and return its files by part; empty parts that nobody misses are left out."""
    frames = {part: getattr(landed, part) for part in parts}
    return {
        part: kitchen.store.land(kitchen.feed.name, kitchen.stream.name, part, frame)
        for part, frame in frames.items()
        if frame.height or part in ("rows", "events")
    }


def delivery_id(kitchen: Kitchen, sha256: str, references: str, parts: Mapping[str, str]) -> str:
    """A delivery's id: its content, how it is read and told, and what was decided by hand about it."""
    decided = [parts[part] for part in ("mended", "dropped") if part in parts]
    made = [sha256[:16], kitchen.reading[:6], kitchen.mapping[:6]]
    more = [references[:6]] if references else []
    return ".".join([*made, *more, *([hash_of(decided)[:6]] if decided else [])])


def newest_event(events: pl.DataFrame) -> str | None:
    """The newest event, ISO, UTC; None when there is none."""
    newest = cast("datetime | None", events["occurred_at"].max())
    return newest.isoformat() if newest is not None else None


def hash_of(values: object) -> str:
    """A hash of plain values, the same in every process."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
