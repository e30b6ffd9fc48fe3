"""YAML to paste into the map."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml


@dataclass(frozen=True)
class Stub:
    """A rule for a kind of event, and where it should lead.

    Attributes:
        rule: Id for the rule.
        touchpoint: Touchpoint that it leads to.
        feed: Feed of the events.
        kind: Their kind.
        said: What they are, for a comment.
        is_new: Whether the touchpoint is not in the map yet.
    """

    rule: str
    touchpoint: str
    feed: str
    kind: str
    said: str
    is_new: bool


def stubs_yaml(stubs: Iterable[Stub], stage: str, stages: Iterable[str]) -> str:
    """Rules for events that none matched, ready to be saved as a file of the `map/` folder.

    A touchpoint that the map does not have yet is owned by nobody, in so many words: who answers for it is
    for people to decide, and until then the audit names it.

    Args:
        stubs: The rules.
        stage: Stage of new touchpoints.
        stages: The stages to choose from, for a comment.
    """
    listed = list(stubs)
    new = list(dict.fromkeys(stub.touchpoint for stub in listed if stub.is_new))
    lines = ["# Save as map/unmatched.yaml, then edit: which touchpoint, and who answers for it."]
    if new:
        lines.append("touchpoints:")
        choice = ", ".join(stages)
        for name in new:
            lines += [
                f"  - id: {_name(name)}",
                f"    name: {_quoted(name.replace('_', ' ').capitalize())}",
                f"    stage: {stage} # one of {choice}",
                "    accountable: nobody # name a seat",
            ]
    lines.append("rules:")
    for stub in listed:
        lines += [f"  # {_printable(stub.said)}", f"  - {_flow(_rule(stub))}"]
    return "\n".join(lines) + "\n"


def _rule(stub: Stub) -> Mapping[str, object]:
    return {
        "id": _name(stub.rule),
        "touchpoint": _name(stub.touchpoint),
        "feed": _name(stub.feed),
        "kind": _quoted(stub.kind),
        "examples": f"[{{event: {{feed: {_name(stub.feed)}, kind: {_quoted(stub.kind)}}}}}]",
    }


def _flow(values: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"


def _quoted(text: str) -> str:
    """A text as YAML, in double quotes, so that no text can be taken for anything else."""
    return yaml.safe_dump(text, default_style='"', width=float("inf")).strip()


def _name(text: str) -> str:
    """A name as YAML: in quotes where it would be taken for something else, like `no`."""
    return text if yaml.safe_load(text) == text else _quoted(text)


def _printable(text: str) -> str:
    """A text as it may stand in a comment: YAML takes no control characters, not even there."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
