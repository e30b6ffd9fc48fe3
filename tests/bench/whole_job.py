"""The whole job as DuckDB does it, as `sql/naive.sql` and `sql/expert.sql` say it: for each published table one query.

Both begin with what the map says (`sql/given.sql`) and make sums a day, cases and handoffs, each in its own way;
`sql/published.sql` makes the tables of these.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from string import Template

import duckdb

from tests.bench.rules_in_sql import ASKED, SAME_COMBINATION, as_case

_SQL = Path(__file__).parent / "sql"


def tables(db: duckdb.DuckDBPyConnection, folder: Path, way: str) -> Iterator[tuple[str, str]]:
    """Names of the published tables and the queries that make them; what these read is made before."""
    asked = json.loads((folder / ASKED).read_text())
    said = {
        "folder": str(folder),
        "now": repr(asked["now"]),
        "today": repr(str(datetime.fromisoformat(asked["now"]).date())),
        "rule_of_event": as_case(asked["rules"], over="events", numbered=True),
        "rule_of_combination": as_case(asked["rules"], over="combinations", numbered=True),
        "same_combination": SAME_COMBINATION,
    }
    for script in ("given", way, "published"):
        for name, statement in statements(Template((_SQL / f"{script}.sql").read_text()).substitute(said)):
            if statement.startswith(("SELECT", "WITH")):
                yield name, statement
            else:
                db.execute(statement)


def statements(script: str) -> Iterator[tuple[str, str]]:
    """Statements of a script in order, each with the last line of comment before it."""
    name = ""
    for part in script.split(";\n"):
        lines = part.strip().splitlines()
        name = next((line.removeprefix("-- ") for line in reversed(lines) if line.startswith("--")), name)
        if statement := "\n".join(line for line in lines if not line.startswith("--")).strip():
            yield name, statement
