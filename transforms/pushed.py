"""Deliveries that were pushed, judged each by itself although one file holds many of them.

Which of them stand in one file is a matter of when a run poured them. So a file's rows are judged together only where
that says the same; a delivery that the others bear on is judged apart: it repeats a row or a value of theirs, or
a rule counts what may be broken. What one sender pushed at one time stands or falls together.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from contracts.contract_rules import REPEATED_KEY
from contracts.deliveries import RuleResult
from contracts.odcs import SchemaObject
from contracts.readings import Reading
from transforms.identity import Hasher
from transforms.land import (
    NO_AMENDMENTS,
    PLACE,
    Amendments,
    Landed,
    Recipe,
    counted,
    land,
    links_of,
    numbered,
    rejects_of,
)

BESIDE_BROKEN = "delivery.quarantine_rate"
"""Why a sound row is set aside: too many of those that were pushed with it broke the contract."""
_WORSE = ("passed", "failed", "error")


@dataclass(frozen=True)
class LeftOut:
    """A pushed delivery of which nothing counts.

    Attributes:
        name: Its id, and when it was received.
        rows: Its rows.
        broken: How many of them broke the contract.
        reasons: Those by the rule they broke.
        rule: The rule over the number of rows that it broke; empty when it has too many broken rows.
    """

    name: str
    rows: int
    broken: int
    reasons: dict[str, int]
    rule: str = ""


def land_pushed(
    reading: Reading, recipe: Recipe, hasher: Hasher, delivery: str, amended: Amendments = NO_AMENDMENTS
) -> tuple[Landed, list[LeftOut]]:
    """What became of a file's rows, and which of the deliveries in it do not count.

    Rows that were mended by hand stand. Of one event that two deliveries tell of, both tellings stand, in their order.

    Args:
        reading: What was read, with `pushed`.
        recipe: Contract, expressions, time zone.
        hasher: Replaces what tells a person.
        delivery: The id of the file's delivery.
        amended: What was decided by hand about some of its rows.
    """
    whole = replace(reading, rows=numbered(reading.rows))
    landed = _together(list(_Bench(recipe, hasher, delivery, amended).apart(whole)))
    left_out = list(_left_out(whole, landed, recipe.shape))
    reason_of = {one.name: one.rule or BESIDE_BROKEN for one in left_out}
    reasons = [reason_of.get(whole.pushed[line]) for line in landed.rows["line"]]
    rows = landed.rows.with_columns(reasons=pl.Series(reasons, dtype=pl.String))
    if amended.mended is not None:
        kept = amended.mended.select(*PLACE, __stands=True)
        rows = rows.join(kept, on=PLACE, how="left", nulls_equal=True, maintain_order="left")
        rows = rows.with_columns(reasons=pl.when(pl.col("__stands").is_null()).then("reasons")).drop(
            "__stands"
        )
    aside = rows.filter(pl.col("reasons").is_not_null())
    accepted = rows.filter(pl.col("reasons").is_null()).drop("reasons")
    rejects = pl.concat([landed.rejects, rejects_of(aside, hasher)]).sort("line", maintain_order=True)
    results = [*landed.results, *_over_rows(whole, recipe.shape)]
    if count := aside.filter(reasons=BESIDE_BROKEN).height:
        results.append(RuleResult(BESIDE_BROKEN, "error", landed.rows_read, count, "failed"))
    return replace(
        landed,
        rows=accepted,
        rejects=rejects,
        events=landed.events.filter(~pl.col("row").is_in(aside["row"].implode())),
        links=links_of(accepted),
        reasons=counted(rejects),
        results=tuple(results),
    ), left_out


@dataclass(frozen=True)
class _Bench:
    """What judging a part of a file needs besides the part."""

    recipe: Recipe
    hasher: Hasher
    delivery: str
    amended: Amendments

    def apart(self, reading: Reading) -> Iterator[Landed]:
        """A file's deliveries, those together that do not bear on each other."""
        while True:
            landed = self._judged(reading)
            names, entangled = set(reading.pushed.values()), _entangled(reading, landed, self.recipe.shape)
            if len(names) <= 1 or not entangled:
                yield landed
                return
            if entangled == names:
                yield from (self._judged(_only(reading, {name})) for name in sorted(names))
                return
            yield self._judged(_only(reading, names - entangled))
            reading = _only(reading, entangled)

    def _judged(self, reading: Reading) -> Landed:
        is_own = pl.col("line").is_in(list(reading.pushed))
        mended, dropped = (
            None if one is None else one.filter(is_own) for one in (self.amended.mended, self.amended.dropped)
        )
        return land(reading, self.recipe, self.hasher, self.delivery, Amendments(mended, dropped))


def _only(reading: Reading, names: Collection[str]) -> Reading:
    pushed = {line: name for line, name in reading.pushed.items() if name in names}
    rows = reading.rows.filter(pl.col("line").is_in(list(pushed)))
    return Reading(rows, [one for one in reading.unreadable if one.line in pushed], pushed)


def _entangled(reading: Reading, landed: Landed, shape: SchemaObject) -> set[str]:
    """Deliveries that may fare otherwise without the others."""
    counting = {rule.id for rule in shape.rules if rule.metric != "rowCount" and rule.mustBe is None}
    if any(one.failed and one.severity == "error" and one.name in counting for one in landed.results):
        return set(reading.pushed.values())
    unique = [f"{column.name}.unique" for column in shape.properties]
    unique += [REPEATED_KEY, *(rule.id for rule in shape.rules if rule.metric == "duplicateValues")]
    is_repeated = pl.col("reasons").str.split(", ").list.set_intersection(unique).list.len() > 0
    rows = landed.rejects.filter(pl.col("row").is_not_null())
    left = Counter(reading.pushed[line] for line in reading.rows["line"])
    left.subtract(reading.pushed[line] for line in (*landed.rows["line"], *rows["line"]))
    repeated = {reading.pushed[line] for line in rows.filter(is_repeated)["line"]}
    return repeated | {name for name, count in left.items() if count > 0}


def _together(parts: Sequence[Landed]) -> Landed:
    """What became of all parts of a file, in its order."""
    if len(parts) == 1:
        return parts[0]
    rows = pl.concat([one.rows for one in parts]).sort("row", maintain_order=True)
    rejects = pl.concat([one.rejects for one in parts]).sort("line", maintain_order=True)
    return Landed(
        rows=rows,
        rejects=rejects,
        events=pl.concat([one.events for one in parts]).sort("row", maintain_order=True),
        links=links_of(rows),
        rows_read=sum(one.rows_read for one in parts),
        rows_duplicate=sum(one.rows_duplicate for one in parts),
        reasons=counted(rejects),
        rows_dropped=sum(one.rows_dropped for one in parts),
        results=tuple(_added(result for one in parts for result in one.results)),
    )


def _added(results: Iterable[RuleResult]) -> Iterator[RuleResult]:
    """How every rule fared on all parts: as it did on the worst."""
    by_name: dict[str, list[RuleResult]] = {}
    for one in results:
        by_name.setdefault(one.name, []).append(one)
    for name, found in by_name.items():
        state = max((one.state for one in found), key=_WORSE.index)
        checked, failed = sum(one.checked for one in found), sum(one.failed for one in found)
        yield RuleResult(name, found[0].severity, checked, failed, state)


def _left_out(reading: Reading, landed: Landed, shape: SchemaObject) -> Iterator[LeftOut]:
    """Deliveries of which too many rows broke the contract, or that have too many or too few."""
    broken: dict[str, list[int]] = {}
    for index, line in enumerate(landed.rejects["line"]):
        broken.setdefault(reading.pushed[line], []).append(index)
    for name, rows in _sizes(reading).items():
        rejects = landed.rejects[broken.get(name, [])]
        wrong = (one.id for one in shape.volume if one.severity == "error" and not one.keeps(rows, rows))
        rule = next(wrong, "")
        if rule or rejects.height / rows > shape.quarantine_rate_max:
            yield LeftOut(name, rows, rejects.height, counted(rejects), rule)


def _over_rows(reading: Reading, shape: SchemaObject) -> Iterator[RuleResult]:
    """How the rules over the number of rows fared: a delivery that breaks one breaks it with all of its rows."""
    sizes = _sizes(reading).values()
    for rule in shape.volume:
        failed = sum(rows for rows in sizes if not rule.keeps(rows, rows))
        yield RuleResult(rule.id, rule.severity, sum(sizes), failed, "failed" if failed else "passed")


def _sizes(reading: Reading) -> Counter[str]:
    """Rows of each delivery, in the order of coming."""
    lines = sorted([*reading.rows["line"], *(one.line for one in reading.unreadable)])
    return Counter(reading.pushed[line] for line in lines)
