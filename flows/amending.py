"""Decisions about rows in quarantine carried out: judged again and re-admitted, or given up."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from contracts.deliveries import Delivery, RuleResult
from flows.kitchen import Kitchen, delivery_id, judged_delivery
from transforms.identity import Hasher
from transforms.land import (
    PLACE,
    Landed,
    Recipe,
    candidates_of,
    counted,
    readmit,
)


def with_decision(kitchen: Kitchen, delivery: Delivery) -> Delivery:
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


def would_change(kitchen: Kitchen, delivery: Delivery) -> bool:
    """Whether what was decided by hand changes anything about a delivery; nothing is kept."""
    decision = kitchen.decision
    if decision is None or "rejects" not in delivery.parts or not decision.is_about(delivery):
        return False
    chosen = decision.choose(kitchen.store.landed(delivery.parts["rejects"]), delivery.source)
    if chosen.is_empty() or decision.what == "drop":
        return not chosen.is_empty()
    return not _judged_again(kitchen, delivery, chosen)[1].is_empty()


def _dropped(kitchen: Kitchen, before: Delivery, rejects: pl.DataFrame, chosen: pl.DataFrame) -> Delivery:
    """The delivery without rows that are given up; they are kept in landing, and counted."""
    dropped = _with_part(kitchen, before, "dropped", chosen)
    left = rejects.join(chosen, on=PLACE, how="anti", nulls_equal=True, maintain_order="left")
    rows = kitchen.store.landed(before.parts["rows"])
    landed = readmit(rows, candidates_of(left.clear(), kitchen.recipe.shape, None), *_who(kitchen, before))
    return _amended(kitchen, before, landed, left, {"dropped": dropped})


def _readmitted(kitchen: Kitchen, before: Delivery, rejects: pl.DataFrame, chosen: pl.DataFrame) -> Delivery:
    """The delivery with those of its rows in quarantine re-admitted that keep today's contract."""
    landed, sound = _judged_again(kitchen, before, chosen)
    if sound.is_empty():
        return before
    left = rejects.join(sound, on=PLACE, how="anti", nulls_equal=True, maintain_order="left")
    return _amended(kitchen, before, landed, left, {"mended": _with_part(kitchen, before, "mended", sound)})


def _judged_again(kitchen: Kitchen, before: Delivery, chosen: pl.DataFrame) -> tuple[Landed, pl.DataFrame]:
    """A delivery with some of its rows in quarantine judged once more, and those of them that keep the contract."""
    decision, shape = kitchen.decision, kitchen.recipe.shape
    mended = decision.rows_of(before.source) if decision else None
    again = candidates_of(chosen, shape, mended)
    rows = kitchen.store.landed(before.parts["rows"])
    landed = readmit(rows, again, *_who(kitchen, before))
    return landed, landed.rows.join(again, on=PLACE, how="semi", nulls_equal=True, maintain_order="left")


def _who(kitchen: Kitchen, before: Delivery) -> tuple[Recipe, Hasher, str]:
    return kitchen.recipe, kitchen.hasher, before.id


def _with_part(kitchen: Kitchen, before: Delivery, part: str, rows: pl.DataFrame) -> pl.DataFrame:
    known = before.parts.get(part)
    return pl.concat([kitchen.store.landed(known), rows], how="diagonal_relaxed") if known else rows


def _amended(
    kitchen: Kitchen, before: Delivery, landed: Landed, left: pl.DataFrame, parts: Mapping[str, pl.DataFrame]
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
    identity = delivery_id(kitchen, before.sha256, kitchen.references, decided)
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
    return judged_delivery(kitchen, draft, whole)


def _carried(kitchen: Kitchen, before: Delivery, landed: Landed, left: pl.DataFrame) -> Iterator[RuleResult]:
    """How the rules fared once rows were re-admitted or given up: what still waits still counts."""
    waiting = counted(left)
    is_poured = kitchen.is_poured(before.source)
    volume = set() if is_poured else {rule.id for rule in kitchen.recipe.shape.volume}
    known = {rule.name: rule for rule in (*landed.results, *before.results) if rule.name not in volume}
    for rule in known.values():
        failed = waiting.get(rule.name, 0)
        if rule.severity == "warning" or rule.state == "passed":
            yield rule
        else:
            yield rule._replace(failed=failed, state=rule.state if failed else "passed")
