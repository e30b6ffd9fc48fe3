"""Whom a metric asks, and whose hands its number goes through: what it takes to believe it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from contracts.documents import Declaration, Moment
from contracts.predicates import Where

Step = Literal["motive", "collection", "analysis", "reporting"]
STEPS: tuple[Step, ...] = ("motive", "collection", "analysis", "reporting")
"""The way of a number, in order: why anybody asks, whom they ask, what they make of it, who tells."""
EXTERNAL = "external"
"""How a unit outside the company begins: `external`, or `external: Institute`."""


def is_external(unit: str) -> bool:
    """Whether a unit stands for somebody outside the company."""
    return unit == EXTERNAL or unit.startswith(f"{EXTERNAL}:")


def one_or_many(written: object) -> object:
    """One name as a list of one."""
    return [written] if isinstance(written, str) else written


Names = Annotated[
    tuple[str, ...],
    BeforeValidator(one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One name or a list of names."""


class Sample(Declaration):
    """Whom a metric asks: events that say somebody was asked, and of whom they are to be a picture.

    An answer belongs to the asking event that has its `subject_type` and `subject`, such as the
    invitation's id; where the asking events have none, answers are held against those of their own day.

    Attributes:
        asked: Which events of the touchpoint say that somebody was asked.
        bounced: Which events say that the asking never arrived: it leaves the response rate's base.
        lived: Which events of the touchpoint are those of everybody who could have been asked. Without
            it, who answered is held against who was asked.
        by: Dimensions in which who answered should look like them: `channel` or an attribute.
        watch: Further dimensions of which only the mix of those asked is watched.
        answer_days: How long an answer may take; what was asked later than that is not judged yet.
        usual_from: First moment that counts as usual; whoever changes the sampling on purpose says so here.
    """

    asked: Where = Field(min_length=1)
    bounced: Where = Field(default_factory=dict)
    lived: Where = Field(default_factory=dict)
    by: Names = ()
    watch: Names = ()
    answer_days: int = Field(default=7, ge=1, le=90)
    usual_from: Moment | None = None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """All dimensions, those of `by` first."""
        return tuple(dict.fromkeys((*self.by, *self.watch)))


class Hands(Declaration):
    """Who has a metric in hand, step by step: seats, teams, or `external: Institute`.

    Attributes:
        touchpoints: Only at these; at all of them when empty. A later declaration overrules an earlier one,
            step by step.
        motive: Who wants to know, and set what is asked.
        collection: Who selects whom to ask, and collects.
        analysis: Who makes numbers of it.
        reporting: Who tells.
    """

    touchpoints: Names = ()
    motive: Names = ()
    collection: Names = ()
    analysis: Names = ()
    reporting: Names = ()


def hands(written: object) -> object:
    """One declaration as a list of one."""
    return [written] if isinstance(written, dict) else written
