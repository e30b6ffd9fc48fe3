"""The terminal: on standard error, so that it never mixes with what a command prints."""

import sys

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing

NEEDS: frozenset[str] = frozenset()
DEDUPES = False


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:  # noqa: ARG001
    """Print it. A retry helps when standard error was closed."""
    try:
        sys.stderr.write(f"\n[to {outgoing.letter.person}]\n{outgoing.rendered.text}")
        sys.stderr.flush()
    except (OSError, ValueError) as error:
        return Outcome("again", f"cannot be printed ({type(error).__name__})")
    return Outcome("sent", "printed")
