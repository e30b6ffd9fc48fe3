"""A published case: its inputs, what it expects, and how close is close enough."""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import SHARED

FOLDER = Path(os.environ.get("ANSWERABLE_GOLDEN", SHARED / "golden"))
SAME = {
    "lo": "low", "lcl": "low", "lpl": "low", "lower": "low", "lnpl": "low", "lwr": "low",
    "hi": "high", "ucl": "high", "upl": "high", "upper": "high", "unpl": "high", "upr": "high",
    "center": "centre", "mean": "centre", "cl": "centre", "average": "centre",
    "p": "pvalue", "pval": "pvalue",
    "chisq": "statistic", "chi2": "statistic", "chisquare": "statistic", "z": "statistic", "xsquared": "statistic",
    "stderr": "se", "error": "se", "sd": "se", "standarderror": "se",
    "estimate": "value", "point": "value", "diff": "value", "difference": "value", "delta": "value",
}  # fmt: skip
"""What published sources call the same thing."""


@dataclass(frozen=True)
class Case:
    """One published case.

    Attributes:
        inputs: As published.
        expected: Figures by name.
        told: Title and source in lower case, which name the method where the inputs do not.
        absolute: Tolerance.
        relative: Tolerance.
    """

    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    told: str
    absolute: float
    relative: float

    @property
    def confidence(self) -> float:
        """Of the intervals: 0.95 unless said otherwise."""
        return self.given("conf", "confidence", "conf_level", default=0.95)

    def given(self, *names: str, default: Any = None) -> Any:
        """The first input of these names."""
        return next((self.inputs[name] for name in names if name in self.inputs), default)

    def method(self, *words: str) -> str | None:
        """Which of these methods the inputs, or else the title and source, speak of first."""
        spoken = str(self.given("method", "type", "rule", default="")) or self.told
        found = {word: spoken.lower().replace("_", " ").find(word) for word in words}
        return min((word for word in words if found[word] >= 0), key=lambda word: found[word], default=None)

    @classmethod
    def read(cls, path: Path) -> tuple[str, "Case"]:
        """The metric of a case, and the case."""
        published = json.loads(path.read_text(encoding="utf-8"))
        told = f"{published.get('title', '')} {published.get('source', '')}".lower()
        allowed = published.get("tolerance", {})
        absolute, relative = allowed.get("abs", 0.0), allowed.get("rel", 0.0)
        case = cls(
            published["inputs"],
            published["expected"],
            told,
            absolute,
            relative or (1e-12 if not absolute else 0),
        )
        return published["metric"], case


def differences(found: Any, expected: Any, case: Case, where: str = "") -> list[str]:
    """Everything that was expected and not found, by its place."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            return [f"{where}: {found!r} holds no {list(expected)}"]
        told: list[str] = []
        for name, value in expected.items():
            key = _matching(found, name)
            place = f"{where}.{name}" if where else name
            told += [f"{place}: not computed"] if key is None else differences(found[key], value, case, place)
        return told
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        if not isinstance(found, Sequence) or len(found) != len(expected):
            return [f"{where}: {found!r} is not {expected!r}"]
        pairs = enumerate(zip(found, expected, strict=True))
        return [d for i, (one, other) in pairs for d in differences(one, other, case, f"{where}[{i}]")]
    return [] if _is_close(found, expected, case) else [f"{where}: {found!r} is not {expected!r}"]


def _is_close(found: Any, expected: Any, case: Case) -> bool:
    if isinstance(expected, bool) or not isinstance(expected, int | float) or found is None:
        return found == expected
    return math.isclose(found, expected, abs_tol=case.absolute, rel_tol=case.relative)


def _matching(found: Mapping[str, Any], name: str) -> str | None:
    if name in found:
        return name
    wanted = _plain(name)
    return next((key for key in found if _plain(key) == wanted), None)


def _plain(name: str) -> str:
    words = re.sub(r"[^a-z0-9+\->/ ]", "", name.lower().replace("_", "").replace("p.value", "pvalue"))
    return SAME.get(words, words)
