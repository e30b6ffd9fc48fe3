"""The map's ordered rules as one CASE in SQL."""

from collections.abc import Sequence
from typing import Any, Literal

ASKED = "asked.json"
"""In a history's folder: the rules in their order, and the instant it is."""
TESTED = {"score": 5, "amount": 100, "duration_minutes": 30}
"""Numbers that rules test, and what they have to reach."""
SAME_COMBINATION = " AND ".join(
    f"m.{key} IS NOT DISTINCT FROM d.{key}"
    for key in ("feed", "kind", "channel", *(f"has_{c}" for c in TESTED))
)
"""Whether an event `m` has what a row `d` of the decision table is about."""


def as_case(
    rules: Sequence[dict[str, Any]], *, over: Literal["events", "combinations"], numbered: bool = False
) -> str:
    """All rules as one CASE.

    Args:
        rules: In their order.
        over: `events`, or `combinations`, where numbers are tested already.
        numbered: Whether it gives the rule's number, from 1, or 0; its touchpoint, or `unmatched`, otherwise.
    """
    whens = []
    for number, rule in enumerate(rules, start=1):
        tests = [
            f"{name} IN ({', '.join(repr(value) for value in rule[name])})"
            for name in ("feed", "kind", "channel")
            if rule[name]
        ]
        tests += [
            f"{column} >= {TESTED[column]}" if over == "events" else f"has_{column}"
            for column in rule["where"]
        ]
        found = number if numbered else repr(rule["touchpoint"])
        whens.append(f"WHEN {' AND '.join(tests)} THEN {found}")
    return f"CASE {' '.join(whens)} ELSE {0 if numbered else repr('unmatched')} END"
