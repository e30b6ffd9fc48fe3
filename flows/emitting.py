"""Wake-ups for whoever wants to know at once that something is in the ledger.

A wake-up is never the only copy of a fact: it names a row, it may be lost, and it may come twice. So whoever hears
one looks for everything that waits. `ANSWERABLE_EMITTER=module:function` names the function that is told.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from contracts.errors import QuestionError

VARIABLE = "ANSWERABLE_EMITTER"
_log = logging.getLogger("answerable.serve")


@dataclass(frozen=True)
class WakeUp:
    """Something that has just been committed.

    Attributes:
        id: The row's, the same when it is told again.
        name: What happened: `answerable.<noun>.<past participle>`.
        resource: What it happened to, like `answerable.feed.chat`.
        facts: What may be said of it; nothing of customers.
    """

    id: str
    name: str
    resource: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


Emit = Callable[[WakeUp], None]
"""Takes a wake-up; soon, for whoever tells waits."""


def unheard(wake: WakeUp) -> None:
    """Nobody listens."""


def emitter(environment: Mapping[str, str]) -> Emit:
    """The function that the environment names; one that never fails whoever tells.

    Raises:
        QuestionError: It names no function.
    """
    named = environment.get(VARIABLE, "")
    if not named:
        return unheard
    module, _, name = named.partition(":")
    try:
        told = cast("Emit", getattr(import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        raise QuestionError.at(
            VARIABLE, f"names no function: {named!r} ({error}).", "Write 'module:function'."
        ) from None
    return careful(told)


def careful(told: Emit) -> Emit:
    """The same, but a failure is logged and goes no further: the fact is in the ledger all the same."""

    def emit(wake: WakeUp) -> None:
        try:
            told(wake)
        except Exception as error:  # noqa: BLE001 - whoever listens must not stop who tells
            _log.warning("wake-up %s was not told: %r", wake.name, error)

    return emit
