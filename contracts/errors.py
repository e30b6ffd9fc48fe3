"""Every error we raise on purpose, in one tree.

AnswerableError
├── QuestionError      a command asks for something that there is not               ask otherwise
├── WorkspaceError     a file of the workspace is missing or cannot be understood   edit the file
│   └── MapError       the accountability map contradicts itself                    edit the map
├── FeedError          a feed could not be read; its last good data stays           mend the feed
├── PromiseError       a table breaks its own contract; nothing was published       report it
├── StoreError         a table or the ledger could not be read or written           retry
├── BusyError          another run holds this workspace                             retry later
├── ExecutorError      the machines that were to compute do not answer or cannot    see to them, retry
├── AllowanceError     a run needs more memory than it is allowed                   allow it more
├── NewGapError        a change of the map opens gaps that were not there           close or accept them
└── GapError           the audit found open gaps                                    close or waive them

Each message says where, what is wrong with the value, and what to do. The command line prints these
without a traceback and ends with the class's `exit_code`; anything else is a defect and keeps its
traceback.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, where it stands, and what mends it.

    Attributes:
        where: `file:line`, or a feed or table when there is no file.
        what: What is wrong, in the present tense, with the value.
        remedy: What to do, in the imperative. May be empty when `what` says it all.
    """

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (f"{self.where}: {self.what}", self.remedy) if part)


class AnswerableError(Exception):
    """Base of every error this product raises on purpose."""

    exit_code: ClassVar[int] = 1
    can_retry: ClassVar[bool] = False

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems

    @classmethod
    def at(cls, where: str, what: str, remedy: str = "") -> Self:
        """The error of one problem."""
        return cls(Problem(where, what, remedy))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """The error of all problems, in the order of their places."""
        return cls(*sorted(problems, key=_reading_order))


class QuestionError(AnswerableError):
    """A command asks for something that there is not. Ask otherwise."""

    exit_code = 2


class WorkspaceError(AnswerableError):
    """A file of the workspace is missing or cannot be understood. Edit it."""

    exit_code = 3


class MapError(WorkspaceError):
    """The accountability map contradicts itself or names something unknown. Edit the map."""


class FeedError(AnswerableError):
    """A feed could not be read. Its last good data stays; mend the feed and run again."""

    exit_code = 4


class PromiseError(AnswerableError):
    """A table of ours breaks its own contract. Nothing was published; the last release stands."""

    exit_code = 5


class StoreError(AnswerableError):
    """A table or the ledger could not be read or written. A retry can help."""

    exit_code = 6
    can_retry = True


class BusyError(AnswerableError):
    """Another run holds this workspace. Wait for it, then run again."""

    exit_code = 7
    can_retry = True


class NewGapError(AnswerableError):
    """A change of the map opens gaps that were not there. Close them, or accept them in the baseline."""

    exit_code = 8


class GapError(AnswerableError):
    """The audit found open gaps of the severity that was asked for. Close them, or waive them in the map."""

    exit_code = 9


class ExecutorError(AnswerableError):
    """The machines that were to compute do not answer, or cannot. See to them, then run again."""

    exit_code = 10
    can_retry = True


class AllowanceError(AnswerableError):
    """A run needs more memory than it is allowed. Nothing was begun; allow it more."""

    exit_code = 11


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The nearest known name as a question, or the list of known names."""
    near = get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = sorted(known)[:12]
    return f"Known: {', '.join(shown)}." if shown else "None is known."


def _reading_order(problem: Problem) -> tuple[str, int, str]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line), problem.what) if line.isdigit() else (problem.where, 0, problem.what)
