"""Cases from the events that tell of them, which are kept of each pack of files in order of subject.

A case may begin in one month and end in another, so cases do not add up. They are made bucket by bucket of
subjects, which bounds memory, and only for subjects of which something else is told than when the kept cases
were made: events that came, went or were corrected, in whatever month. What is made anew is kept beside the
cases made before, not put into them, until it is more than a small part of them. What is told and cases are
looked up where they lie, so a few subjects cost what they are, not what all are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import polars as pl

from flows.parts import PARTITION_ROWS, TOLD, TYPES, Frames, PackKeys, Pass, hash_of, part_of, widened
from transforms.case_tables import with_slots
from transforms.cases import BY_SUBJECT, SUBJECT
from transforms.renewed import Remember, Renewed
from warehouse.mapped import Tables

CASES, HANDOFFS, BUCKET, PLACED, COUNTED = "cases", "handoffs", "bucket", "placed", "counted"
MADE_OF, TOUCHED, OLD, UNTIL, BEEN = "made_of", "touched", "old", "until", "been"
_MENDED = "mended"
ANEW = 1 / 3
"""Beyond this share of touched subjects everything is made anew: it is cheaper."""
BESIDE = 1 / 64
"""Up to this share of all cases is kept beside them: all that is there is gone through every time."""
LARGE = 1 << 20
"""What is remembered of the old ones and has more bytes is looked up where it lies."""
STATES = 64
"""So many states that cases have been in are known, besides the one in which the old ones were made."""
_DRAWN = 4096
"""Of so many rows that are told one says where buckets of subjects begin."""
_NO_SUBJECT = pl.DataFrame(schema={"feed": pl.UInt16, "subject_id": pl.UInt32})
_CHANGE = {"change": pl.UInt32}


@dataclass(frozen=True)
class _Cases:
    """Cases and handoffs, most of them made long before.

    Attributes:
        key: What the old ones are kept under.
        old: The old ones, in order of subject.
        until: The last instant that the old ones tell of, microseconds since 1970.
        touched: Subjects of which something else is told since, and the last change with which: their number from 1.
        anew: Theirs.
        made_of: Keys of the facts that all of it was made of.
        been: What all of it was kept under since the old ones were made, these first, and how many changes there had
            been by then: whatever has changed since any of these is of subjects that later changes touched.
    """

    key: str
    old: Frames
    until: int
    touched: pl.DataFrame
    anew: Frames
    made_of: Sequence[str]
    been: Sequence[tuple[str, int]]

    def beside(self) -> Frames:
        """What is kept of it besides the old ones."""
        texts = {MADE_OF: self.made_of, OLD: [self.key]}
        named = {name: pl.DataFrame({"key": keys}, schema={"key": pl.String}) for name, keys in texts.items()}
        been = pl.DataFrame(self.been, schema={"key": pl.String, **_CHANGE}, orient="row")
        until = pl.DataFrame({"until": [self.until]})
        return {**self.anew, TOUCHED: self.touched, UNTIL: until, BEEN: been, **named}

    @property
    def changes(self) -> int:
        """How many changes there have been since the old ones were made."""
        return self.been[-1][1]

    def now(self, old: pl.DataFrame, anew: pl.DataFrame) -> Renewed:
        """Cases or handoffs as they are now.

        Args:
            old: The old ones, perhaps with more columns.
            anew: Those made anew, with the same ones.
        """
        gone = BY_SUBJECT.rows_of(old, self.touched)
        return Renewed(old, gone, anew.select(old.columns).cast(dict(old.schema)), self.touched)


def cases_of(
    asked: Pass, keys: Sequence[PackKeys], make: Callable[["Cut"], object] | None = None
) -> tuple[Renewed, Renewed]:
    """Cases with slots and handoffs with their slot, customers as they are known today.

    Args:
        asked: The pass; its map has cases.
        keys: Keys of every pack, whose parts are kept.
        make: Has the cases of buckets that are cut so made and kept, by others; here when absent.
    """
    made = _find(asked, hash_of([one.facts for one in keys]))
    if made is None:
        before = next(iter(asked.kept.keys(_kind(asked, _MENDED))), None)
        found = _mended(asked, keys, before) if before else None
        made = _keep(asked, keys, found or _made(asked, keys, make))
    else:
        asked.kept.use((TOLD, one) for one in made.made_of)
    return _as_of_today(asked, made)


def _kind(asked: Pass, what: str) -> str:
    return f"{what}-{hash_of([asked.asked])[:8]}"


def _find(asked: Pass, key: str) -> _Cases | None:
    """The cases that were made of the facts of a key."""
    beside = asked.kept.find(_kind(asked, _MENDED), key)
    if beside is None:
        return None
    old_key = beside[OLD]["key"].item()
    old = asked.kept.find(_kind(asked, CASES), old_key)
    if old is None:
        return None
    until, made_of = beside[UNTIL]["until"].item(), beside[MADE_OF]["key"].to_list()
    return _Cases(old_key, old, until, beside[TOUCHED], beside, made_of, beside[BEEN].rows())


def _keep(asked: Pass, keys: Sequence[PackKeys], made: _Cases | Frames) -> _Cases:
    """Keep cases, under the key of what they were made of: what is not much beside the old ones."""
    told = [one.facts for one in keys]
    key = hash_of(told)
    if isinstance(made, _Cases) and made.touched.height <= BESIDE * made.old[CASES].height:
        been = [*made.been[:1], *made.been[1:][-STATES:], (key, made.changes + 1)]
        kept = replace(made, made_of=told, been=been)
    else:
        old = _put_among(made) if isinstance(made, _Cases) else made
        asked.kept.put(_kind(asked, CASES), key, old, as_in_memory=True)
        # From here on where they are kept: what they were made in is let go.
        old = made = asked.kept.find(_kind(asked, CASES), key) or old
        empty = {name: frame.clear() for name, frame in old.items()}
        nothing = pl.DataFrame(schema={**_NO_SUBJECT.schema, **_CHANGE})
        kept = _Cases(key, old, _until(old), nothing, empty, told, [(key, 0)])
    asked.kept.put(_kind(asked, _MENDED), key, kept.beside())
    return kept


def _put_among(made: _Cases) -> Frames:
    """The old ones with those that are made anew among them, in order of subject."""
    now = {name: made.now(made.old[name], made.anew[name]).lazy() for name in (CASES, HANDOFFS)}
    return {name: BY_SUBJECT.beside(rows.collect()) for name, rows in now.items()}


def _until(made: Frames) -> int:
    """The last instant that cases and handoffs tell of; 0 where there is none."""
    instants = [made[CASES][name] for name in made[CASES].columns if name.endswith("_at")]
    ends = [one.to_physical().max() for one in (*instants, made[HANDOFFS]["occurred_at"])]
    return max((cast("int", end) for end in ends if end is not None), default=0)


def _as_of_today(asked: Pass, made: _Cases) -> tuple[Renewed, Renewed]:
    key, places = _placed(asked, made)
    old = {name: made.old[name].hstack(places[name]) for name in places}
    aliases, merged = asked.state.identity.get("aliases", ""), asked.state.merged()
    remember = _remembering(asked, key)
    been = [(hash_of([one, aliases]), changes) for one, changes in made.been]
    anew = _with_places(asked, made.anew)
    cases, handed = (
        replace(made.now(old[name], anew[name]), remember=remember) for name in (CASES, HANDOFFS)
    )
    of_today = {name: getattr(cases, name).with_columns(merged) for name in ("old", "came")}
    return replace(cases, been=been, **of_today), handed


def _remembering(asked: Pass, key: str) -> Remember:
    """Keeps what is made of old cases, under what these are known by."""

    def remember(name: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        told = hash_of([key, name])
        found = asked.kept.find(_kind(asked, COUNTED), told)
        if found is None:
            made = make()
            found = {COUNTED: made}
            is_large = made.estimated_size() > LARGE
            asked.kept.put(_kind(asked, COUNTED), told, found, as_in_memory=is_large)
        return found[COUNTED]

    return remember


def _with_places(asked: Pass, made: Frames, wanted: pl.Expr | None = None) -> dict[str, pl.DataFrame]:
    """Cases and handoffs with their slots; of their columns those that are wanted."""
    slots = asked.matcher.slots
    placed = [
        with_slots(made[CASES].lazy(), slots),
        made[HANDOFFS].lazy().with_columns(slot=slots.look_up(pl.col("occurred_at"))),
    ]
    plans = [plan if wanted is None else plan.select(wanted) for plan in placed]
    return dict(zip((CASES, HANDOFFS), pl.collect_all(plans), strict=True))


def _placed(asked: Pass, made: _Cases) -> tuple[str, Frames]:
    """The slots of the old ones, which stay as long as no slot begins otherwise until the last of their instants.

    Returns:
        What they are kept under, and they.
    """
    starts, old = asked.matcher.slots.starts, made.old
    key = hash_of([made.key, starts[starts <= made.until].tobytes().hex()])
    found = asked.kept.find(_kind(asked, PLACED), key)
    if found is None:
        found = _with_places(
            asked, old, pl.exclude(*(column for frame in old.values() for column in frame.columns))
        )
        asked.kept.put(_kind(asked, PLACED), key, found, as_in_memory=True)
    return key, found


def _made(
    asked: Pass, keys: Sequence[PackKeys], make: Callable[["Cut"], object] | None
) -> dict[str, pl.DataFrame]:
    """All cases, from all that is told, in order of subject."""
    cut = Cut.of(asked, keys, case_buckets(asked, keys))
    if make is not None and cut.buckets > 1:
        make(cut)
    parts = [_bucket_of_cases(asked, cut, bucket) for bucket in range(cut.buckets)]
    return {name: pl.concat(part[name] for part in parts) for name in (CASES, HANDOFFS)}


def case_buckets(asked: Pass, keys: Sequence[PackKeys]) -> int:
    """In how many buckets of subjects cases are made: a power of two that bounds the size of each."""
    rows = sum(one.rows for one in keys)
    return 1 << (rows // (2 * min(asked.at_once or PARTITION_ROWS, PARTITION_ROWS))).bit_length()


def bucket_key(keys: Sequence[PackKeys], bucket: int, buckets: int) -> str:
    """What one bucket's cases are kept under."""
    return hash_of([*(one.facts for one in keys), f"{bucket}/{buckets}"])


@dataclass(frozen=True)
class Cut:
    """All that is told, cut where buckets of subjects begin: of the same packs at the same ones, wherever.

    Attributes:
        keys: Keys of the packs.
        packs: What is told of each.
        edges: Of each the row with which every bucket begins, and how many it has.
    """

    keys: Sequence[PackKeys]
    packs: Sequence[Frames]
    edges: Sequence[Sequence[int]]

    @classmethod
    def of(cls, asked: Pass, keys: Sequence[PackKeys], buckets: int) -> "Cut":
        """What is told of some packs, whose parts are kept, in so many buckets."""
        packs = [part_of(asked, one, TOLD) for one in keys]
        drawn, edges = [], []
        for one in packs:
            drawn.append(one[TOLD].select(SUBJECT).gather_every(_DRAWN))
            _let_go(one)
        bounds = BY_SUBJECT.bounds_of(pl.concat(drawn), buckets)
        for one in packs:
            inner = BY_SUBJECT.edges_of(one[TOLD], bounds, "left")
            edges.append([0, *inner.tolist(), one[TOLD].height])
            _let_go(one)
        return cls(keys, packs, edges)

    @property
    def buckets(self) -> int:
        """How many there are."""
        return len(self.edges[0]) - 1

    def bucket(self, number: int) -> pl.DataFrame:
        """All that is told of one bucket's subjects, each of them whole, pack by pack."""
        ends = [one[number : number + 2] for one in self.edges]
        theirs = [
            one[TOLD].slice(first, end - first)
            for one, (first, end) in zip(self.packs, ends, strict=True)
            if end > first
        ]
        told = pl.concat(theirs or [self.packs[0][TOLD].clear()], how="vertical_relaxed", rechunk=True)
        for one in self.packs:
            _let_go(one)
        return told


def _let_go(tables: Frames) -> None:
    """Keep no memory of what was looked at where it lies: bucket by bucket that would be all of it."""
    if isinstance(tables, Tables):
        tables.let_go()


def _bucket_of_cases(asked: Pass, cut: Cut, bucket: int) -> Frames:
    """The cases of one bucket of subjects: those that somebody made and kept, else made here."""
    key = bucket_key(cut.keys, bucket, cut.buckets)
    found = asked.kept.find(BUCKET, key) if cut.buckets > 1 else None
    return found or _summed_up(asked, cut.bucket(bucket), cut.packs[0][TYPES])


def make_bucket(asked: Pass, cut: Cut, bucket: int) -> None:
    """Make one bucket's cases, and keep them.

    Args:
        asked: The pass.
        cut: What is told.
        bucket: Which of them, from 0.
    """
    made = _summed_up(asked, cut.bucket(bucket), cut.packs[0][TYPES])
    asked.kept.put(BUCKET, bucket_key(cut.keys, bucket, cut.buckets), made)


def _mended(asked: Pass, keys: Sequence[PackKeys], before: str) -> _Cases | None:
    """The cases made before, with those made anew of which something else is told now."""
    made = _find(asked, before)
    if made is None:
        return None
    was, now = set(made.made_of), {one.facts for one in keys}
    if not was & now:
        return None
    gone = [asked.kept.find(TOLD, key) for key in sorted(was - now)]
    if any(tables is None for tables in gone):
        return None
    came = [widened(part_of(asked, one, TOLD), TOLD) for one in keys if one.facts not in was]
    touched = BY_SUBJECT.differing([widened(tables, TOLD) for tables in gone if tables], came)
    if touched.height > ANEW * made.old[CASES].height:
        return None
    parts = [part_of(asked, one, TOLD) for one in keys]
    told = [one[TOLD][BY_SUBJECT.rows_of(one[TOLD], touched)] for one in parts]
    anew = _summed_up(asked, pl.concat(told, how="vertical_relaxed"), parts[0][TYPES])
    # Those of this change last: of a subject that was touched before, the later change counts.
    now_touched = touched.with_columns(change=pl.lit(made.changes + 1, dtype=pl.UInt32))
    return replace(
        made,
        touched=pl.concat([made.touched, now_touched]).unique(SUBJECT, keep="last"),
        anew=_with_anew(made.anew, touched, anew),
    )


def _with_anew(old: Frames, touched: pl.DataFrame, anew: Frames) -> dict[str, pl.DataFrame]:
    """Cases and handoffs, those of touched subjects as they were made anew."""
    if touched.is_empty():
        return {name: old[name] for name in (CASES, HANDOFFS)}
    # A look-up in a set of few is a third of the work of a join that leaves them out.
    gone = touched.select(_subject()).to_series()
    left = {name: old[name].filter(~_subject().is_in(gone.implode())) for name in (CASES, HANDOFFS)}
    return {name: pl.concat([left[name], anew[name]]) for name in left}


def _subject() -> pl.Expr:
    """A subject as one number."""
    return pl.col("feed").cast(pl.UInt64) * 2**32 + pl.col("subject_id")


def _summed_up(asked: Pass, told: pl.DataFrame, types: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Cases and handoffs of all that is told of some subjects, in order of subject.

    Args:
        asked: The pass.
        told: The events, the oldest packs' first.
        types: What its columns are as a whole.
    """
    placed = BY_SUBJECT.placed(told)
    made = [maker.made(placed, types.schema) for maker in asked.wanted.case_makers]
    found, handed = (pl.concat(some, how="diagonal") for some in zip(*made, strict=True))
    return {CASES: BY_SUBJECT.beside(found), HANDOFFS: BY_SUBJECT.beside(handed)}
