"""`python -m flows.docs` writes the generated pages; `--check` fails when they are out of date."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from contracts.map_schema import map_schema
from contracts.signals import page as signals_page
from flows.cli import app
from flows.methods_page import methods_page
from transforms.audit import RULES
from views.dictionary import markdown
from views.findings import rules_page

ROOT = Path(__file__).parent.parent


def pages() -> Mapping[str, str]:
    """Every generated page, by its path below the repository."""
    from contracts.gx_polars.support import markdown as expectations  # noqa: PLC0415 - 4 CPU seconds

    written = app.generate_docs(output_format="markdown", recursive=True)
    # Usage lines of nested commands name the module that was started, whichever that is.
    commands = re.sub(r"^(answerable .*?) -m [\w.]+", r"\1", written, flags=re.MULTILINE)
    note = "Written by `python -m flows.docs` from the commands themselves; the gate fails when it is out of date."
    return {
        "README.md": _counted((ROOT / "README.md").read_text(encoding="utf-8")),
        "docs/tables.md": markdown(),
        "docs/audit.md": rules_page(
            (one.name, one.severity, one.about, one.remedy, one.fixed_by) for one in RULES
        ),
        "docs/commands.md": f"{commands.rstrip()}\n\n{note}\n",
        "examples/starter/map.schema.json": json.dumps(map_schema(), indent=1, ensure_ascii=False) + "\n",
        "docs/methods.md": methods_page(),
        "docs/expectations.md": expectations(),
        "docs/events.md": signals_page(),
    }


def _counted(readme: str) -> str:
    """The README with as many rules of the audit as there are."""
    return re.sub(r"\d+(?= rules of\s+the audit)", str(len(RULES)), readme)


def stale() -> list[str]:
    """Pages that are not what the code says."""
    return [
        name
        for name, text in pages().items()
        if not (ROOT / name).exists() or (ROOT / name).read_text(encoding="utf-8") != text
    ]


def main() -> None:
    """Write the pages, or with `--check` only compare them."""
    if "--check" in sys.argv:
        if old := stale():
            sys.exit(f"out of date: {', '.join(old)}. Run 'make docs'.")
        return
    for name, text in pages().items():
        (ROOT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
