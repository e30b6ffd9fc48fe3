"""`answerable contracts`: what changed since the last release of a contract, freeze, export."""

import json
import sys
from pathlib import Path
from typing import Any

from cyclopts import App

from contracts.errors import WorkspaceError
from flows.workspace import load

contracts = App(name="contracts", help="See what changed in the feeds' contracts, freeze them, export ours.")


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
def export(folder: Path = Path("build/contracts")) -> None:
    """Write the contract of our published tables: one ODCS v3.2 file, and a JSON Schema for each table.

    Example: answerable contracts export build/contracts

    Args:
        folder: Where to write them.
    """
    import yaml  # noqa: PLC0415 - loaded when needed

    from contracts.contract_export import json_schema, odcs  # noqa: PLC0415
    from contracts.tables import TABLES  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "published.odcs.yaml"
    whole.write_text(yaml.safe_dump(odcs(), sort_keys=False, allow_unicode=True), encoding="utf-8")
    for table in TABLES:
        text = json.dumps(json_schema(table), indent=1) + "\n"
        (folder / f"{table.table_name()}.schema.json").write_text(text, encoding="utf-8")
    sys.stdout.write(f"{whole} and {len(TABLES)} JSON Schemas.\n")
