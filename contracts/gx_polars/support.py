"""Which expectations this engine supports: those whose every metric it computes."""

import inspect

from . import expectations
from .engine import PolarsExecutionEngine
from .internals import Expectation, core, metrics_of

ELSEWHERE = {
    "ExpectColumnTypeToBe": "names types of pandas, Spark or SQL. Use ExpectTableSchemaToBe",
    "ExpectColumnValuesToBeOfType": "names types of pandas, Spark or SQL. Use ExpectTableSchemaToBe",
    "ExpectColumnValuesToBeInTypeList": "names types of pandas, Spark or SQL. Use ExpectTableSchemaToBe",
    "ExpectTableRowCountToEqualOtherTable": "needs a second table. Count it and use ExpectTableRowCountToEqual",
    "ExpectMulticolumnValuesToBeUnique": "is deprecated. Use ExpectSelectColumnValuesToBeUniqueWithinRecord",
    "ExpectColumnKLDivergenceToBeLessThan": "compares distributions, which no metric here does",
}
"""Expectations whose metrics are here but whose meaning is not, and what to use instead."""


def supported() -> list[str]:
    """Great Expectations' own expectations that this engine evaluates, by class name."""
    computed = metrics_of(PolarsExecutionEngine)
    return sorted(name for name, kind in _own(core).items() if _needs(kind) and _needs(kind) <= computed)


def added() -> list[str]:
    """Expectations that this package adds, by class name."""
    return sorted(
        name for name, kind in _own(expectations).items() if kind.__module__ == expectations.__name__
    )


def not_supported() -> dict[str, str]:
    """Great Expectations' other expectations, each with the metrics that are missing or what to use instead."""
    computed = metrics_of(PolarsExecutionEngine)
    missing = {
        name: ", ".join(sorted(_needs(kind) - computed)) or "metrics of another engine"
        for name, kind in _own(core).items()
        if name not in supported()
    }
    return {name: ELSEWHERE.get(name, f"needs {metrics}") for name, metrics in missing.items()}


def markdown() -> str:
    """The lists as a page."""
    return "\n".join(
        (
            "# Expectations on polars",
            "",
            f"Written by `python -m flows.docs` from what `contracts/gx_polars` registers: {len(supported())} of Great",
            f"Expectations' own expectations, each compared with its pandas engine, and {len(added())} of ours.",
            "",
            "## Supported",
            "",
            *(f"- `{name}`" for name in supported()),
            "",
            "## Added",
            "",
            *(f"- `{name}`: {_summary(name)}" for name in added()),
            "",
            "## Not supported",
            "",
            *(f"- `{name}` {why}." for name, why in not_supported().items()),
            "",
        )
    )


def _summary(name: str) -> str:
    text = inspect.getdoc(getattr(expectations, name)) or ""
    return text.partition("\n")[0]


def _own(module: object) -> dict[str, type[Expectation]]:
    return {
        name: kind
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if name.startswith("Expect") and issubclass(kind, Expectation) and name != "Expectation"
    }


def _needs(kind: type[Expectation]) -> set[str]:
    if kind.__name__ in ELSEWHERE:
        return set()
    row_metric = getattr(kind, "map_metric", None)
    return {*getattr(kind, "metric_dependencies", ()), *([f"{row_metric}.condition"] if row_metric else ())}
