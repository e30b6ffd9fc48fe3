"""Cases from the events that tell of them, which are kept of each file by bucket of subjects.

A case may begin in one month and end in another, so cases do not add up. They are made bucket by bucket,
which bounds memory, and only for subjects of which something else is told than when the kept cases were
made: events that came, went or were corrected, in whatever month.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from flows.parts import PARTITION_ROWS, TOLD, FileKeys, Frames, Pass, hash_of, told_of
from transforms.case_tables import with_slots
from transforms.cases import cases, handoffs

CASES, HANDOFFS, MADE_OF = "cases", "handoffs", "made_of"
_SUBJECT = ("feed", "subject_id")
_ANEW = 1 / 3
"""Beyond this share of touched subjects everything is made anew: it is cheaper."""


def cases_of(asked: Pass, keys: Sequence[FileKeys]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cases with slots and handoffs with their slot, customers as they are known today.

    Args:
        asked: The pass; its map has cases.
        keys: Keys of every file, whose parts are kept.
    """
    kind = f"{CASES}-{hash_of([asked.asked])[:8]}"
    told = [one.facts for one in keys]
    key = hash_of(told)
    made = asked.kept.find(kind, key)
    if made is None:
        before = next(iter(asked.kept.keys(kind)), None)
        found = _mended(asked, keys, kind, before) if before else None
        made = found or _made(asked, keys)
        made = {**made, MADE_OF: pl.DataFrame({"key": told}, schema={"key": pl.String})}
        asked.kept.put(kind, key, made)
    return _as_of_today(asked, made)


def _as_of_today(asked: Pass, made: Frames) -> tuple[pl.DataFrame, pl.DataFrame]:
    slots = asked.matcher.slots
    found, handed = pl.collect_all(
        [
            with_slots(made[CASES].lazy().with_columns(asked.state.merged()), slots),
            made[HANDOFFS].lazy().with_columns(slot=slots.find(pl.col("occurred_at"))),
        ]
    )
    return found, handed


def _made(asked: Pass, keys: Sequence[FileKeys]) -> dict[str, pl.DataFrame]:
    """All cases, from all that is told."""
    parts = [_summed_up(asked, told) for told in _by_bucket(asked, keys)]
    return {name: pl.concat(part[name] for part in parts) for name in (CASES, HANDOFFS)}


def _mended(asked: Pass, keys: Sequence[FileKeys], kind: str, before: str) -> dict[str, pl.DataFrame] | None:
    """The cases made before, with those made anew of which something else is told now."""
    made = asked.kept.find(kind, before)
    if made is None:
        return None
    was, now = set(made[MADE_OF]["key"]), {one.facts for one in keys}
    if not was & now:
        return None
    gone = [asked.kept.find(TOLD, key) for key in sorted(was - now)]
    if any(tables is None for tables in gone):
        return None
    came = [_told(asked, one) for one in keys if one.facts not in was]
    touched = _differing([t for tables in gone if tables for t in tables.values()], came)
    if touched.height > _ANEW * made[CASES].height:
        return None
    told = [_told(asked, one).join(touched, on=_SUBJECT, how="semi") for one in keys]
    anew = _summed_up(asked, pl.concat(told))
    return {
        name: pl.concat([made[name].join(touched, on=_SUBJECT, how="anti"), anew[name]])
        for name in (CASES, HANDOFFS)
    }


def _differing(gone: Sequence[pl.DataFrame], came: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Subjects of which something else is told than before."""
    sides = [(frame, side) for frames, side in ((gone, -1), (came, 1)) for frame in frames]
    rows = pl.concat([frame.with_columns(__side=pl.lit(side, dtype=pl.Int64)) for frame, side in sides])
    columns = [name for name in rows.columns if name != "__side"]
    changed = rows.group_by(columns).agg(pl.col("__side").sum()).filter(pl.col("__side") != 0)
    return changed.select(_SUBJECT).unique()


def _summed_up(asked: Pass, told: pl.DataFrame) -> dict[str, pl.DataFrame]:
    rows = told.lazy().with_columns(slot=pl.lit(0, dtype=pl.UInt32))
    specs, codebook = asked.atlas.cases, asked.codebook
    found, handed = pl.collect_all(
        [
            pl.concat([cases(rows, spec, codebook) for spec in specs], how="diagonal"),
            pl.concat([handoffs(rows, spec, codebook) for spec in specs]),
        ]
    )
    return {CASES: found, HANDOFFS: handed.drop("slot")}


def _told(asked: Pass, one: FileKeys, names: Sequence[str] | None = None) -> pl.DataFrame:
    tables = asked.kept.find(TOLD, one.facts, names)
    # Swept or damaged since the keys were looked at: it is in the file still.
    return pl.concat((tables or told_of(asked, one)).values())


def _by_bucket(asked: Pass, keys: Sequence[FileKeys]) -> Iterator[pl.DataFrame]:
    """All that is told, in parts that each have whole subjects and are bounded in size."""
    rows = sum(one.file.rows for one in keys)
    buckets = 1 << max((rows // (2 * PARTITION_ROWS)).bit_length(), 0)
    if buckets == 1:
        yield pl.concat(_told(asked, one) for one in keys)
        return
    for bucket in range(buckets):
        yield pl.concat(_bucket_of(asked, one, bucket, buckets) for one in keys)


def _bucket_of(asked: Pass, one: FileKeys, bucket: int, buckets: int) -> pl.DataFrame:
    names = asked.kept.names(TOLD, one.facts)
    # Both counts are powers of two: a bucket of few holds whole buckets of many.
    steps = min(len(names), buckets)
    wanted = [name for name in names if int(name) % steps == bucket % steps]
    return _told(asked, one, wanted).filter(pl.col("subject_id") % buckets == bucket)
