"""What linters cannot see: nothing runs a query in the pure core, pages are current, every part is documented."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from contracts.accountability import FORMULA, Metric
from contracts.dictionary import HEADINGS, column_notes, sections
from contracts.tables import TABLES, FactGoalPacing, MetricWindow, Scorecard
from contracts.tables.base import Table
from flows.cli import app
from flows.docs import stale
from flows.feeds import load, names
from flows.methods_page import method_modules
from tests.conftest import ROOT

_RUNS_OR_READS = {
    "collect",
    "collect_all",
    "read_parquet",
    "scan_parquet",
    "read_csv",
    "write_parquet",
    "open",
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "transforms").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_transforms_neither_run_queries_nor_read(path: Path):
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not called & _RUNS_OR_READS


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table_name())
def test_every_table_says_what_it_promises(table: type[Table]):
    assert list(sections(table)) == list(HEADINGS), f"{table.__name__}: fixed headings, in this order"
    for name, note in column_notes(table).items():
        assert note["description"], f"{table.__name__}.{name} has no description"
        if note["type"] in ("number", "integer"):
            assert note["unit"], f"{table.__name__}.{name} has no unit"


def test_every_table_class_is_published():
    def leaves(cls: type) -> set[type]:
        below = {leaf for child in cls.__subclasses__() for leaf in leaves(child)}
        return below or {cls}

    named = {table for table in leaves(Table) if not table.__name__.startswith("_")}
    assert named == set(TABLES)


def test_no_scorecard_without_its_components():
    needed = {"n", "numerator", "denominator", "value_low", "value_high", "interval_method", "excluded_count"}
    reasons = {"excluded_missing_count", "excluded_outside_count"}
    for table in TABLES:
        if issubclass(table, Scorecard):
            assert needed | reasons <= set(table.column_names())
            assert not any(table.columns()[name].nullable for name in ("n", "interval_method", *reasons))
    for table in (FactGoalPacing, MetricWindow):
        assert needed <= set(table.column_names())


def test_every_part_of_a_metric_is_part_of_its_formula_or_is_not():
    """Whoever adds a part to Metric decides whether another value of it asks for another version."""
    said_elsewhere = {
        "id",
        "name",
        "by",
        "version",
        "counter_metric",
        "minimum_trust",
        "windows",
        "tolerance",
        "sample",
        "independence",
    }
    assert set(Metric.model_fields) == {*FORMULA, *said_elsewhere}


def test_generated_pages_are_current():
    assert stale() == [], "run 'make docs'"


def test_every_module_of_methods_is_on_the_page():
    named = {module.__name__.rpartition(".")[2] for module in method_modules()}
    there = {path.stem for path in (ROOT / "transforms/methods").glob("*.py")} - {"__init__", "distributions"}
    assert named == there | {"intervals"}


def _commands(group: App) -> Iterator[tuple[str, App]]:
    """Every command, those of groups included."""
    for name in group:
        if not name.startswith("-"):
            below = list(_commands(group[name]))
            yield from [(f"{name} {inner}", command) for inner, command in below] or [(name, group[name])]


def test_every_command_teaches():
    found = dict(_commands(app))
    assert {"run", "who", "map show", "map diff", "rules test"} <= set(found)
    for name, command in found.items():
        assert command.help, f"{name} is missing its help"
        assert inspect.getdoc(command.default_command), f"{name} has no docstring"


def test_every_kind_of_feed_offers_and_reads():
    for kind in names():
        module = load(kind)
        assert list(inspect.signature(module.offers).parameters) == ["stream", "root"]
        assert list(inspect.signature(module.read).parameters) == ["offer", "stream", "shape"]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "flows.cli",
            ("prefect", "contracts.gx_polars", "great_expectations", "pandas", "polars", "sqlalchemy"),
        ),
        (
            "flows.run",
            (
                "prefect",
                "contracts.gx_polars",
                "great_expectations",
                "pandas",
                "alembic",
                "scipy",
                "phonenumbers",
                "obstore",
                "sqlalchemy.dialects.mssql",
                "sqlalchemy.dialects.postgresql",
            ),
        ),
        ("contracts.tables", ("sqlalchemy",)),
    ],
)
def test_importing_stays_light(module: str, absent: tuple[str, ...]):
    code = f"import sys, {module}; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_requirements_name_no_host():
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text().splitlines():
            assert "://" not in line
            assert not line.startswith(("-i", "--index", "--extra-index", "--find-links", "--trusted-host"))
    assert not (ROOT / "uv.lock").exists()
