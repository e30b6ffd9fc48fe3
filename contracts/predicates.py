"""The small language of `where:`, shared by rules and metrics.

    where:
      survey: delivery                 equal to
      region: [north, south]           equal to one of
      order_id: null                   missing
      score: ">= 9"                    compared; also >, <=, <, and both ends: ">= 7 and < 9"

Every key must hold. A missing value never satisfies a comparison or an equality. A text that begins
with `<` or `>` is written as a list: `["<none>"]`. A text that YAML reads as something else stands in
quotes: `"no"`, `"01234"`, `"10:30"`.
"""

import re
import sys
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, InstanceOf

Operator = Literal[">=", ">", "<=", "<"]
Scalar = str | float | bool | None
_LARGEST = sys.float_info.max
_BOUND = re.compile(r"^(>=|>|<=|<)\s*(-?\d+(?:\.\d+)?)$")


@dataclass(frozen=True, slots=True)
class Condition:
    """What one column must satisfy: one of some values, or every one of some bounds.

    Attributes:
        any_of: Accepted values; None stands for a missing value.
        bounds: Comparisons that must all hold; numbers only.
    """

    any_of: tuple[Scalar, ...] = ()
    bounds: tuple[tuple[Operator, float], ...] = ()

    def __str__(self) -> str:
        if self.bounds:
            return " and ".join(f"{operator} {limit:g}" for operator, limit in self.bounds)
        return " or ".join("missing" if value is None else str(value) for value in self.any_of)


def read_condition(written: object) -> Condition:
    """The condition that a YAML value stands for.

    Raises:
        ValueError: The value is neither a scalar, a list of scalars nor a comparison.
    """
    if isinstance(written, Condition):
        return written
    if isinstance(written, str) and written[:1] in "<>" and written:
        return Condition(bounds=tuple(_bound(part) for part in written.split(" and ")))
    values = written if isinstance(written, list) else [written]
    if any(isinstance(v, date) for v in values):
        message = "It has to be a text: put it in quotes."
        raise ValueError(message)
    if not values or not all(_is_scalar(v) for v in values):
        message = "Write a value, a list of values, null, or a comparison like '>= 9'."
        raise ValueError(message)
    return Condition(any_of=tuple(float(v) if type(v) is int else v for v in values))


def _is_scalar(value: object) -> bool:
    if isinstance(value, int | float):
        return (
            -_LARGEST <= value <= _LARGEST
        )  # neither infinite nor beyond what a float holds; NaN is neither
    return value is None or isinstance(value, str)


def _bound(written: str) -> tuple[Operator, float]:
    match = _BOUND.match(written.strip())
    if match is None:
        message = (
            f"{written.strip()!r} compares with no number. Write it like '>= 9' or '>= 7 and < 9'; "
            f"for the text itself write a list: [{written.strip()!r}]."
        )
        raise ValueError(message)
    return cast("Operator", match[1]), float(match[2])


Where = dict[str, Annotated[InstanceOf[Condition], BeforeValidator(read_condition)]]
"""Conditions by column name; all must hold."""
