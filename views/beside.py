"""What stands beside the tables of a release: a SQL file that opens them, and their dictionary."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from contracts.dictionary import summary
from contracts.tables import TABLES, Column, Table
from views.dictionary import page

EXTRA_COLUMNS = "extra_columns"


def beside_release(
    folder: PurePath, manifest: Mapping[str, Any], tables: Sequence[type[Table]] = TABLES
) -> Mapping[str, str]:
    """Texts by file name.

    Args:
        folder: The release's folder: the views name it, so they never see two releases mixed.
        manifest: What is noted of the release; under `EXTRA_COLUMNS` the columns that the workspace
            adds, by table.
        tables: The release's tables.
    """
    noted = manifest.get(EXTRA_COLUMNS, {})
    extra = {
        table: {name: Column.from_dict(one) for name, one in noted[table.table_name()].items()}
        for table in tables
        if table.table_name() in noted
    }
    return {"views.sql": views_sql(folder, tables), "dictionary.html": page(tables, extra)}


def views_sql(folder: PurePath, tables: Sequence[type[Table]] = TABLES) -> str:
    """One DuckDB view per table. Open with `duckdb -init views.sql`."""
    lines = [f"-- The tables of {folder.name}, as DuckDB views: duckdb -init views.sql"]
    for table in tables:
        name = table.table_name()
        path = str(folder / name / "*.parquet").replace("'", "''")
        comment = summary(table).replace("'", "''")
        lines.append(f"CREATE OR REPLACE VIEW {name} AS FROM read_parquet('{path}');")
        lines.append(f"COMMENT ON VIEW {name} IS '{comment}';")
    return "\n".join(lines) + "\n"
