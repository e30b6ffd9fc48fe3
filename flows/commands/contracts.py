"""`answerable contracts`: what changed since the last release of a contract, freeze, export, Data Docs."""

import json
import sys
from pathlib import Path
from typing import Any

from cyclopts import App

from contracts.errors import WorkspaceError
from contracts.workspace import FILE
from flows.workspace import load

contracts = App(name="contracts", help="See what changed in the feeds' contracts, freeze them, export all.")


@contracts.command
def diff(folder: Path = Path(), *, json_: bool = False) -> None:
    """Say what changed in every contract since it was last frozen, and whether its version says so.

    A change that asks more of whoever delivers tightens, and needs a new major version, as does a column
    that is gone or has another type; one that asks less loosens, and needs a minor one; words need a
    patch. Ends with exit code 3 when a version is raised by too little. Put it into CI.

    Example: answerable contracts diff --json

    Args:
        folder: The workspace.
        json_: Print the changes as JSON.
    """
    from contracts.contract_diff import needed  # noqa: PLC0415 - loaded when needed
    from flows.locks import differences, wrong_versions  # noqa: PLC0415

    workspace = load(folder)
    problems = wrong_versions(workspace)
    told: list[dict[str, Any]] = []
    for contract, before, found in differences(workspace):
        version = before["version"] if before else None
        rows = [{"path": c.path, "what": c.what, "effect": c.effect, "needs": c.bump("input")} for c in found]
        bump = needed(found, "input")
        told.append(
            {
                "id": contract.id,
                "released": version,
                "version": contract.version,
                "needs": bump,
                "changes": rows,
            }
        )
    if json_:
        wrong = [{"where": p.where, "what": p.what, "remedy": p.remedy} for p in problems]
        sys.stdout.write(
            json.dumps({"ok": not problems, "contracts": told, "problems": wrong}, indent=1) + "\n"
        )
        if problems:
            sys.exit(WorkspaceError.exit_code)
        return
    for one in told:
        released = one["released"] or "never frozen"
        sys.stdout.write(f"{one['id']}: {released} -> {one['version']}, needs {one['needs']}\n")
        for row in one["changes"]:
            sys.stdout.write(f"  {row['effect']:<9} {row['path']}: {row['what']}\n")
    if problems:
        raise WorkspaceError.of(problems)


@contracts.command
def lock(folder: Path = Path()) -> None:
    """Freeze the contracts' present versions in `locks/`; later changes are held against them.

    Ends with exit code 3 when a contract changed by more than its version says. Commit the files.

    Example: answerable contracts lock

    Args:
        folder: The workspace.
    """
    from flows.locks import lock as freeze  # noqa: PLC0415 - loaded when needed

    written = freeze(load(folder))
    for path in written:
        sys.stdout.write(f"{path}\n")
    if not written:
        sys.stdout.write("nothing to freeze: every version stands in locks/ already.\n")


@contracts.command
def export(folder: Path = Path(), *, to: Path = Path("build/contracts")) -> None:
    """Write contracts as other tools read them: ODCS v3.2, JSON Schema, suites of Great Expectations.

    Those of the published tables stand in `tables/`, those of the workspace's feeds in `feeds/`; without a
    workspace there are only the former. A feed's suite judges a typed table of its properties: run it with
    `contracts.gx_polars`, whose expectations it uses; a table's suite runs on any engine. Neither needs
    Great Expectations to be written.

    Example: answerable contracts export shop --to build/contracts

    Args:
        folder: The workspace.
        to: Where to write them.
    """
    from flows.exporting import export_feeds, export_tables  # noqa: PLC0415 - loaded when needed

    written = len(export_tables(to / "tables"))
    sys.stdout.write(f"{to / 'tables'}: {written} files of the published tables.\n")
    if not (folder / FILE).is_file():
        sys.stdout.write(f"{folder} is no workspace: it has no {FILE}, so there are no contracts of feeds.\n")
        return
    written = len(export_feeds(load(folder), to / "feeds"))
    sys.stdout.write(f"{to / 'feeds'}: {written} files of the feeds' contracts.\n")


@contracts.command
def docs(folder: Path = Path(), *, to: Path = Path("build/data_docs")) -> None:
    """Judge the newest delivery of every stream and write Great Expectations' Data Docs of it.

    Their pages load styles and scripts from some 18 addresses on the internet, and a logo whose address
    tells that a page was opened: whoever looks at them needs to be allowed to. Rows are counted and never
    shown. `published/current/quality.html` tells the same and loads nothing. Nothing is kept of what is
    judged here.

    Example: answerable contracts docs shop --to build/data_docs

    Args:
        folder: The workspace.
        to: Where to write them.
    """
    from flows.data_docs import write  # noqa: PLC0415 - loads Great Expectations

    page, judged = write(load(folder), to)
    for line in judged:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{page}\n")
    sys.stderr.write("These pages load styles, scripts and a logo from the internet when they are opened.\n")
