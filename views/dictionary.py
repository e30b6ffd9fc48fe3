"""The data dictionary: every published table and column, from the classes that promise them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from contracts.dictionary import HEADINGS, column_notes, sections, summary
from contracts.tables import TABLES, Column, Table

_pages = Environment(
    loader=PackageLoader("views"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _with_code(text: str | None) -> Markup:
    """A text whose `backticked` parts are code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text or ""))))  # noqa: S704 - escaped


_pages.filters["code"] = _with_code
Extra = Mapping[type[Table], Mapping[str, Column]]


def markdown(tables: Sequence[type[Table]] = TABLES) -> str:
    """The dictionary as Markdown, one section a table."""
    return "\n".join(_markdown_lines(tables)) + "\n"


def page(tables: Sequence[type[Table]] = TABLES, extra: Extra | None = None) -> str:
    """The dictionary as one self-contained HTML page."""
    added = {table: tuple(columns.items()) for table, columns in (extra or {}).items()}
    return _page(tuple(tables), tuple(added.items()))


@lru_cache(maxsize=4)
def _page(
    tables: tuple[type[Table], ...], added: tuple[tuple[type[Table], tuple[tuple[str, Column], ...]], ...]
) -> str:
    """Made once for the same tables and columns: a resident process publishes every few seconds."""
    extra = {table: dict(columns) for table, columns in added}
    described = [_described(table, extra.get(table)) for table in tables]
    return _pages.get_template("dictionary.html").render(tables=described)


def _described(table: type[Table], extra: Mapping[str, Column] | None) -> dict[str, object]:
    return {
        "name": table.table_name(),
        "summary": summary(table),
        "sections": sections(table),
        "grain": set(table.primary_key()),
        "columns": column_notes(table, extra),
    }


def _markdown_lines(tables: Sequence[type[Table]]) -> Iterable[str]:
    yield "# Data dictionary"
    yield ""
    yield "Written by `python -m flows.docs` from `contracts/tables`; the gate fails when it is out of date."
    yield "Every description and unit also stands in the Parquet files, in the fields' metadata."
    yield ""
    for table in tables:
        yield f"- [`{table.table_name()}`](#{table.table_name()}): {summary(table)}"
    for table in tables:
        yield from ("", f"## {table.table_name()}", "", summary(table), "")
        said = sections(table)
        yield from (f"- **{heading}**: {said[heading]}" for heading in HEADINGS)
        yield from ("", "| column | type | unit | meaning |", "| --- | --- | --- | --- |")
        for name, note in column_notes(table).items():
            shown = f"**{name}**" if name in table.primary_key() else name
            kind = note["type"].replace(" | ", ", ") + ("" if not note["nullable"] else ", or null")
            yield f"| {shown} | {kind} | {note['unit'] or ''} | {note['description']} |"
