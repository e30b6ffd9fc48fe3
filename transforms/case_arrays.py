"""Cases and handoffs by arrays: in order of subject a subject's events are one stretch, so nothing is looked up by hash.

`transforms.cases` says the same as polars expressions. It is the reference, and a property test holds this equal to it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from contracts.accountability import Cases
from contracts.events import Codebook
from transforms.cases import ENDS, MILESTONES, SUBJECT, hours, is_of_subject, reached, reduced, there

_RETURNS = 3
"""From so many holdings of a case on, one may be a return: each is of another group than the one before."""


def cases_and_handoffs(
    rows: pl.DataFrame, spec: Cases, codebook: Codebook
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What `cases` and `handoffs` make of events, without slots; in order of subject.

    Args:
        rows: Stored events with `touchpoint`, as `in_order` returns them.
        spec: As of `cases`.
        codebook: What the stored codes stand for.
    """
    is_told = rows.select(is_of_subject(spec, codebook)).to_series()
    told = _Told(rows if is_told.all() else rows.filter(is_told))
    at = _milestones(told, spec, codebook)
    opening = told.first(at["opened"])
    is_case = opening >= 0
    opened = told.events.select(*SUBJECT, "touchpoint", "channel", "occurred_at")[opening[is_case]]
    ends = {name: told.last(at[name])[is_case] for name in ENDS}
    is_open_again = told.last(at["reopened"])[is_case] > np.maximum(*ends.values())
    passage = _Passage.of(told)
    made = pl.DataFrame(
        {
            **{name: opened[name] for name in (*SUBJECT, "touchpoint", "channel")},
            **{name: values.filter(is_case) for name, values in _attributes(told, spec, codebook).items()},
            "customer": told.values(
                "customer", told.last(told.events["customer"].to_numpy() > 0)[is_case]
            ).fill_null(0),
            "opened_at": opened["occurred_at"],
            "first_response_at": told.values("occurred_at", told.first(at["responded"])[is_case]),
            **{
                f"{name}_at": told.values("occurred_at", np.where(is_open_again, -1, rows))
                for name, rows in ends.items()
            },
            "reopened_count": told.count(at["reopened"])[is_case],
            "event_count": told.sizes[is_case],
            **{name: values[is_case] for name, values in passage.of_cases().items()},
        }
    )
    return made.with_columns(**hours()), passage.handoffs()


@dataclass(frozen=True)
class _Told:
    """Events of some subjects, in order of subject and time."""

    events: pl.DataFrame

    @cached_property
    def starts(self) -> np.ndarray:
        """The first row of every subject."""
        if self.events.is_empty():
            return np.empty(0, dtype=np.int64)
        is_other = np.zeros(self.events.height, dtype=bool)
        is_other[0] = True
        for name in SUBJECT:
            column = self.events[name].to_numpy()
            is_other[1:] |= column[1:] != column[:-1]
        return np.flatnonzero(is_other)

    @cached_property
    def sizes(self) -> np.ndarray:
        """How many events every subject has."""
        return np.diff(self.starts, append=self.events.height)

    @cached_property
    def subjects(self) -> np.ndarray:
        """Every row's subject, by number."""
        return np.repeat(np.arange(self.starts.size), self.sizes)

    def first(self, which: np.ndarray) -> np.ndarray:
        """The first row of every subject of which something holds; -1 where there is none."""
        found, rows = np.full(self.starts.size, -1), np.flatnonzero(which)[::-1]
        if rows.size == which.size:
            return self.starts
        found[self.subjects[rows]] = rows  # of several the one that is written last stays
        return found

    def last(self, which: np.ndarray) -> np.ndarray:
        """The last row of every subject of which something holds; -1 where there is none."""
        found, rows = np.full(self.starts.size, -1), np.flatnonzero(which)
        if rows.size == which.size:
            return self.starts + self.sizes - 1
        found[self.subjects[rows]] = rows
        return found

    def values(self, column: str, rows: np.ndarray) -> pl.Series:
        """A column's values in some rows; null where the row is -1."""
        places = pl.Series(rows)
        return self.events[column].gather(places.set(places < 0, None))

    def count(self, which: np.ndarray) -> np.ndarray:
        """How many rows of every subject something holds of."""
        return np.bincount(self.subjects[which], minlength=self.starts.size)


def _milestones(told: _Told, spec: Cases, codebook: Codebook) -> dict[str, np.ndarray]:
    """Which events open, answer, resolve, close and reopen: asked of every kind once, not of every event."""
    kinds = pl.DataFrame({"kind": np.arange(len(codebook.values.get("kind", ())) + 1, dtype=np.uint32)})
    of_kind = kinds.select(**{name: reached(spec, name, codebook) for name in (*MILESTONES, "reopened")})
    kind = told.events["kind"].to_numpy()
    return {one.name: one.to_numpy().take(kind) for one in of_kind}


def _attributes(told: _Told, spec: Cases, codebook: Codebook) -> dict[str, pl.Series]:
    """Attributes of every subject: codes by the row they are from, all else by its values."""
    made: dict[str, pl.Series] = {}
    for name, how in spec.attributes.items():
        column = codebook.column(name)
        if codebook.is_coded(column) and how in ("first", "last"):
            find = told.first if how == "first" else told.last
            made[column] = told.values(column, find(told.events[column].to_numpy() > 0)).fill_null(0)
        else:
            numbered = told.events.select(there(column, codebook), subject=pl.Series(told.subjects))
            of_each = numbered.group_by("subject").agg(reduced(column, how, codebook).alias(column))
            made[column] = of_each.sort("subject")[column]
    return made


@dataclass(frozen=True)
class _Passage:
    """Uninterrupted holdings of cases by groups, in the order of case and time.

    Attributes:
        told: The events.
        rows: The row that every holding begins with.
        subject: Whose it is.
        group: By which group.
        is_return: Whether the group had held the case before.
    """

    told: _Told
    rows: np.ndarray
    subject: np.ndarray
    group: np.ndarray
    is_return: np.ndarray

    @classmethod
    def of(cls, told: _Told) -> "_Passage":
        """The holdings that events tell of."""
        groups = told.events["actor_team"].to_numpy()
        rows = np.flatnonzero(groups > 0)
        subject, group = told.subjects[rows], groups[rows]
        begins = np.ones(rows.size, dtype=bool)
        begins[1:] = (subject[1:] != subject[:-1]) | (group[1:] != group[:-1])
        rows, subject, group = rows[begins], subject[begins], group[begins]
        return cls(told, rows, subject, group, _returns(subject, group))

    def of_cases(self) -> dict[str, np.ndarray]:
        """What every subject's holdings come to."""
        subjects = self.told.starts.size
        held = np.bincount(self.subject, minlength=subjects)
        is_direct = np.zeros(self.rows.size, dtype=bool)
        is_direct[2:] = (self.subject[2:] == self.subject[:-2]) & (self.group[2:] == self.group[:-2])
        first, last = np.zeros(subjects, self.group.dtype), np.zeros(subjects, self.group.dtype)
        first[self.subject[::-1]] = self.group[::-1]
        last[self.subject] = self.group
        return {
            "group_count": np.bincount(self.subject[~self.is_return], minlength=subjects),
            "handoff_count": np.maximum(held - 1, 0),
            "is_ping_pong": np.bincount(self.subject[self.is_return], minlength=subjects) > 0,
            "is_direct_ping_pong": np.bincount(self.subject[is_direct], minlength=subjects) > 0,
            "first_group": first,
            "last_group": last,
        }

    def handoffs(self) -> pl.DataFrame:
        """One row per holding of a case that another group had held."""
        later = np.flatnonzero(self.subject[1:] == self.subject[:-1]) + 1
        taken = self.told.events.select(*SUBJECT, "occurred_at", "touchpoint")[self.rows[later]]
        before = self.told.events["occurred_at"][self.rows[later - 1]]
        return pl.DataFrame(
            {
                **{name: taken[name] for name in SUBJECT},
                "from_group": self.group[later - 1],
                "to_group": self.group[later],
                "occurred_at": taken["occurred_at"],
                "touchpoint": taken["touchpoint"],
                "is_return": self.is_return[later],
                "held_microseconds": (taken["occurred_at"] - before).dt.total_microseconds(),
            }
        )


def _returns(subject: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Of which holdings the group had held the case before."""
    found = np.zeros(subject.size, dtype=bool)
    often = (
        np.flatnonzero((np.bincount(subject) >= _RETURNS)[subject]) if subject.size else np.empty(0, np.int64)
    )
    held = subject[often] << 16 | group[often]
    order = np.argsort(held, kind="stable")
    found[often[order[1:][held[order[1:]] == held[order[:-1]]]]] = True
    return found
