"""Cases from the events that tell of them, which are kept of each pack of files by bucket of subjects.

A case may begin in one month and end in another, so cases do not add up. They are made bucket by bucket,
which bounds memory, and only for subjects of which something else is told than when the kept cases were
made: events that came, went or were corrected, in whatever month.
"""

from collections.abc import Callable, Sequence

import polars as pl

from flows.parts import PARTITION_ROWS, TOLD, Frames, PackKeys, Pass, hash_of, told_of
from transforms.case_tables import with_slots
from transforms.cases import cases, handoffs

CASES, HANDOFFS, MADE_OF, BUCKET = "cases", "handoffs", "made_of", "bucket"
_SUBJECT = ("feed", "subject_id")
_ANEW = 1 / 3
"""Beyond this share of touched subjects everything is made anew: it is cheaper."""


def cases_of(
    asked: Pass, keys: Sequence[PackKeys], make: Callable[[int], object] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cases with slots and handoffs with their slot, customers as they are known today.

    Args:
        asked: The pass; its map has cases.
        keys: Keys of every pack, whose parts are kept.
        make: Has so many buckets of cases made and kept, by others; here when absent.
    """
    kind = f"{CASES}-{hash_of([asked.asked])[:8]}"
    told = [one.facts for one in keys]
    key = hash_of(told)
    made = asked.kept.find(kind, key)
    if made is None:
        before = next(iter(asked.kept.keys(kind)), None)
        found = _mended(asked, keys, kind, before) if before else None
        made = found or _made(asked, keys, make)
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


def _made(
    asked: Pass, keys: Sequence[PackKeys], make: Callable[[int], object] | None
) -> dict[str, pl.DataFrame]:
    """All cases, from all that is told."""
    buckets = case_buckets(keys)
    if make is not None and buckets > 1:
        make(buckets)
    parts = [bucket_of_cases(asked, keys, bucket, buckets) for bucket in range(buckets)]
    return {name: pl.concat(part[name] for part in parts) for name in (CASES, HANDOFFS)}


def case_buckets(keys: Sequence[PackKeys]) -> int:
    """In how many buckets of subjects cases are made: a power of two that bounds the size of each."""
    rows = sum(one.rows for one in keys)
    return 1 << max((rows // (2 * PARTITION_ROWS)).bit_length(), 0)


def bucket_key(keys: Sequence[PackKeys], bucket: int, buckets: int) -> str:
    """What one bucket's cases are kept under."""
    return hash_of([*(one.facts for one in keys), f"{bucket}/{buckets}"])


def bucket_of_cases(asked: Pass, keys: Sequence[PackKeys], bucket: int, buckets: int) -> Frames:
    """The cases of one bucket of subjects: those that somebody made and kept, else made here."""
    found = asked.kept.find(BUCKET, bucket_key(keys, bucket, buckets)) if buckets > 1 else None
    return found or _summed_up(asked, _in_bucket(asked, keys, bucket, buckets))


def make_bucket(asked: Pass, keys: Sequence[PackKeys], bucket: int, buckets: int) -> None:
    """Make one bucket's cases, and keep them."""
    made = _summed_up(asked, _in_bucket(asked, keys, bucket, buckets))
    asked.kept.put(BUCKET, bucket_key(keys, bucket, buckets), made)


def _mended(asked: Pass, keys: Sequence[PackKeys], kind: str, before: str) -> dict[str, pl.DataFrame] | None:
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


def _told(asked: Pass, one: PackKeys, names: Sequence[str] | None = None) -> pl.DataFrame:
    tables = asked.kept.find(TOLD, one.facts, names)
    # Swept or damaged since the keys were looked at: it is in the file still.
    return pl.concat((tables or told_of(asked, one)).values())


def _in_bucket(asked: Pass, keys: Sequence[PackKeys], bucket: int, buckets: int) -> pl.DataFrame:
    """All that is told of one bucket's subjects, each of them whole."""
    if buckets == 1:
        return pl.concat(_told(asked, one) for one in keys)
    return pl.concat(_bucket_of(asked, one, bucket, buckets) for one in keys)


def _bucket_of(asked: Pass, one: PackKeys, bucket: int, buckets: int) -> pl.DataFrame:
    names = asked.kept.names(TOLD, one.facts)
    # Both counts are powers of two: a bucket of few holds whole buckets of many.
    steps = min(len(names), buckets)
    wanted = [name for name in names if int(name) % steps == bucket % steps]
    return _told(asked, one, wanted).filter(pl.col("subject_id") % buckets == bucket)
