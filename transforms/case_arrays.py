"""Cases and handoffs by arrays: in order of subject a subject's events are one stretch, so nothing is looked up by hash.

`transforms.cases` says the same as polars expressions. It is the reference, and a property test holds this equal to it.
Events are neither moved nor widened for it: of most columns it is a row for each subject that is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import Cases
from contracts.events import Codebook
from transforms.beside import Placed
from transforms.cases import ENDS, MILESTONES, SUBJECT, hours, is_of_subject, reached, reduced, there

_RETURNS = 3
"""From so many holdings of a case on, one may be a return: each is of another group than the one before."""
_REACHED = (*MILESTONES, "reopened")


@dataclass(frozen=True)
class CaseMaker:
    """Makes cases of one kind.

    Attributes:
        spec: As of `cases`.
        codebook: What the stored codes stand for.
    """

    spec: Cases
    codebook: Codebook

    def made(self, events: Placed, kinds: Mapping[str, pl.DataType]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What `cases` and `handoffs` make of events, without slots; in order of subject.

        Args:
            events: Stored events with `touchpoint`, as `BY_SUBJECT` places them; codes perhaps in narrower types.
            kinds: The types of what is made of columns.
        """
        told = self._of_subject(_Told(**vars(events), kinds=kinds))
        kind = self._of_kind.take(told.in_order(told.rows["kind"].to_numpy()))
        at = {name: (kind & 1 << bit) > 0 for bit, name in enumerate(_REACHED)}
        opening = told.first(at["opened"])
        # Mostly of all: none of them is copied then.
        case = slice(None) if (opening >= 0).all() else np.flatnonzero(opening >= 0)
        opened, ends = opening[case], {name: told.last(at[name])[case] for name in ENDS}
        is_open_again = told.last(at["reopened"])[case] > np.maximum(*ends.values())
        passage = _Passage.of(told)
        made = pl.DataFrame(
            {
                **told.codes(opened, *SUBJECT, "touchpoint", "channel"),
                **{name: values[case] for name, values in self._attributes(told).items()},
                "customer": told.known("customer", "last")[case],
                "opened_at": told.instants(opened),
                "first_response_at": told.instants(told.first(at["responded"])[case]),
                **{
                    f"{name}_at": told.instants(np.where(is_open_again, -1, rows))
                    for name, rows in ends.items()
                },
                "reopened_count": told.count(at["reopened"])[case],
                "event_count": told.sizes[case],
                **{name: values[case] for name, values in passage.of_cases().items()},
            }
        )
        return made.with_columns(**hours()), passage.handoffs()

    @cached_property
    def _of_kind(self) -> np.ndarray:
        """Whether an event opens, answers, resolves, closes or reopens, as bits: asked of every kind, not of every event."""
        kinds = self._codes("kind").select(
            reached(self.spec, name, self.codebook).alias(name) for name in _REACHED
        )
        return sum(one.to_numpy().astype(np.uint8) << bit for bit, one in enumerate(kinds))

    @cached_property
    def _of_type(self) -> np.ndarray:
        """Whether subjects of a type are what cases are made of."""
        types = self._codes("subject_type").with_columns(subject_id=pl.lit(1))
        return types.select(is_of_subject(self.spec, self.codebook)).to_series().to_numpy()

    def _codes(self, column: str) -> pl.DataFrame:
        return pl.DataFrame(
            {column: np.arange(len(self.codebook.values.get(column, ())) + 1, dtype=np.uint32)}
        )

    def _of_subject(self, told: "_Told") -> "_Told":
        """The events about subjects that cases are made of, mostly all."""
        types, subjects = (told.rows[name].to_numpy() for name in ("subject_type", "subject_id"))
        if not types.size or (self._of_type[types.min() : int(types.max()) + 1].all() and subjects.min() > 0):
            return told
        is_told = told.in_order(self._of_type.take(types) & (subjects > 0))
        order = told.places(np.flatnonzero(is_told))
        return replace(told, order=order, whose=told.whose[is_told], at=told.at[is_told])

    def _attributes(self, told: "_Told") -> dict[str, pl.Series]:
        """Attributes of every subject: codes by the row they are from, all else by its values."""
        made: dict[str, pl.Series] = {}
        for name, how in self.spec.attributes.items():
            column = self.codebook.column(name)
            if self.codebook.is_coded(column) and how in ("first", "last"):
                made[column] = told.known(column, how)
            else:
                values = told.rows.select(pl.col(column).cast(told.kinds[column]))
                values = values if told.order is None else values[told.order]
                numbered = values.select(there(column, self.codebook), subject=pl.Series(told.subjects))
                of_each = numbered.group_by("subject").agg(reduced(column, how, self.codebook).alias(column))
                made[column] = of_each.sort("subject")[column]
        return made


@dataclass(frozen=True)
class _Told(Placed):
    """Events of some subjects, in order of subject and time; beside them there may be others, which have no place in it.

    Attributes:
        kinds: Types that columns have.
    """

    kinds: Mapping[str, pl.DataType]

    @cached_property
    def starts(self) -> np.ndarray:
        """The first row of every subject: rows are numbered in their order from here on."""
        is_other = np.ones(self.whose.size, dtype=bool)
        np.not_equal(self.whose[1:], self.whose[:-1], out=is_other[1:])
        return np.flatnonzero(is_other)

    @cached_property
    def sizes(self) -> np.ndarray:
        """How many events every subject has."""
        return np.diff(self.starts, append=self.whose.size)

    @cached_property
    def ends(self) -> np.ndarray:
        """The last row of every subject."""
        return self.starts + self.sizes - 1

    @cached_property
    def subjects(self) -> np.ndarray:
        """Every row's subject, by number."""
        return np.repeat(np.arange(self.starts.size), self.sizes)

    def first(self, which: np.ndarray) -> np.ndarray:
        """The first row of every subject of which something holds; -1 where there is none."""
        if which.take(self.starts).all():
            return self.starts
        found, rows = np.full(self.starts.size, -1), np.flatnonzero(which)[::-1]
        found[self.subjects.take(rows)] = rows  # of several the one that is written last stays
        return found

    def last(self, which: np.ndarray) -> np.ndarray:
        """The last row of every subject of which something holds; -1 where there is none."""
        if which.take(self.ends).all():
            return self.ends
        found, rows = np.full(self.starts.size, -1), np.flatnonzero(which)
        found[self.subjects.take(rows)] = rows
        return found

    def count(self, which: np.ndarray) -> np.ndarray:
        """How many rows of every subject something holds of."""
        return np.bincount(self.subjects.take(np.flatnonzero(which)), minlength=self.starts.size)

    def known(self, column: str, how: str) -> pl.Series:
        """The first or last code that every subject has in a column; 0 where there is none."""
        find, rows = (self.first, self.starts) if how == "first" else (self.last, self.ends)
        found = self.codes(rows, column)[column]
        if (found > 0).all():  # mostly: the others need not be put in order
            return found
        return self.codes(find(self.in_order(self.rows[column].to_numpy() > 0)), column)[column]

    def codes(self, rows: np.ndarray, *columns: str) -> dict[str, pl.Series]:
        """Columns' codes in some rows; 0 where the row is -1."""
        places, is_none = self.places(rows), rows < 0
        found = {name: self.rows[name].to_numpy().take(places) for name in columns}
        if is_none.any():
            for codes in found.values():
                codes[is_none] = 0
        return {name: pl.Series(codes).cast(self.kinds[name]) for name, codes in found.items()}

    def instants(self, rows: np.ndarray) -> pl.Series:
        """When some rows were; null where the row is -1."""
        found, is_none = pl.Series(self.at.take(rows)), rows < 0
        found = found.set(pl.Series(is_none), None) if is_none.any() else found
        return found.cast(self.kinds["occurred_at"])

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Where rows lie."""
        return rows if self.order is None else self.order.take(rows)

    def in_order(self, lies: np.ndarray) -> np.ndarray:
        """What is said of rows as they lie, in order."""
        return lies if self.order is None else lies.take(self.order)


@dataclass(frozen=True)
class _Passage:
    """Uninterrupted holdings of cases by groups, in the order of case and time.

    Attributes:
        told: The events.
        rows: The row that every holding begins with.
        subject: Whose it is.
        group: By which group.
        is_first: Whether it is the first one of its case.
    """

    told: _Told
    rows: np.ndarray
    subject: np.ndarray
    group: np.ndarray
    is_first: np.ndarray

    @classmethod
    def of(cls, told: _Told) -> "_Passage":
        """The holdings that events tell of."""
        groups = told.in_order(told.rows["actor_team"].to_numpy())
        rows = np.flatnonzero(groups > 0)
        subject, group = told.subjects.take(rows), groups.take(rows)
        is_first = np.ones(rows.size, dtype=bool)
        np.not_equal(subject[1:], subject[:-1], out=is_first[1:])
        begins = is_first.copy()
        begins[1:] |= group[1:] != group[:-1]
        held = np.flatnonzero(begins)
        return cls(told, *(column.take(held) for column in (rows, subject, group, is_first)))

    @cached_property
    def begins(self) -> np.ndarray:
        """The first holding of every case that has any."""
        return np.flatnonzero(self.is_first)

    @cached_property
    def counts(self) -> np.ndarray:
        """How many holdings each of these has."""
        return np.diff(self.begins, append=self.rows.size)

    @cached_property
    def returns(self) -> np.ndarray:
        """The holdings by a group that had held the case before, ascending: two or more after another one of its own."""
        often = np.flatnonzero(np.repeat(self.counts >= _RETURNS, self.counts))
        held = self.subject.take(often) << 16 | self.group.take(often)
        order = np.argsort(held, kind="stable")
        return np.sort(often[order[1:][held[order[1:]] == held[order[:-1]]]])

    def of_cases(self) -> dict[str, pl.Series | np.ndarray]:
        """What every subject's holdings come to."""
        subjects, whose = self.told.starts.size, self.subject.take(self.begins)
        returned = self.subject.take(self.returns)
        direct = returned[self.group.take(self.returns) == self.group.take(self.returns - 2)]
        ends = self.begins + self.counts - 1
        return {
            "group_count": _put(subjects, whose, self.counts) - np.bincount(returned, minlength=subjects),
            "handoff_count": _put(subjects, whose, self.counts - 1),
            "is_ping_pong": _put(subjects, returned, np.True_),
            "is_direct_ping_pong": _put(subjects, direct, np.True_),
            "first_group": self._groups(_put(subjects, whose, self.group.take(self.begins))),
            "last_group": self._groups(_put(subjects, whose, self.group.take(ends))),
        }

    def handoffs(self) -> pl.DataFrame:
        """One row per holding of a case that another group had held."""
        later = np.flatnonzero(~self.is_first)
        rows, before = self.rows.take(later), self.rows.take(later - 1)
        codes = self.told.codes(rows, *SUBJECT, "touchpoint")
        is_return = np.zeros(self.rows.size, dtype=bool)
        is_return[self.returns] = True
        return pl.DataFrame(
            {
                **{name: codes[name] for name in SUBJECT},
                "from_group": self._groups(self.group.take(later - 1)),
                "to_group": self._groups(self.group.take(later)),
                "occurred_at": self.told.instants(rows),
                "touchpoint": codes["touchpoint"],
                "is_return": is_return.take(later),
                "held_microseconds": self.told.at.take(rows) - self.told.at.take(before),
            }
        )

    def _groups(self, codes: np.ndarray) -> pl.Series:
        return pl.Series(codes).cast(self.told.kinds["actor_team"])


def _put(size: int, places: np.ndarray, values: np.ndarray | np.generic) -> np.ndarray:
    """Values at some places, 0 elsewhere."""
    found = np.zeros(size, values.dtype)
    found[places] = values
    return found
