"""What stands beside the tables of a release: a SQL file that opens them, and their dictionary."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from contracts.dictionary import summary
from contracts.tables import TABLES, Table
from views.dictionary import Extra, page


def beside_release(
    folder: PurePath, tables: Sequence[type[Table]] = TABLES, extra: Extra | None = None
) -> Mapping[str, str]:
    """Texts by file name.

    Args:
        folder: The release's folder: the views name it, so they never see two releases mixed.
        tables: The release's tables.
        extra: Columns that the workspace adds.
    """
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
