"""`answerable map codeowners`."""

import sys
from pathlib import Path

from contracts.codeowners import codeowners
from contracts.documents import parse
from flows.outputs import writing_to
from flows.workspace import load


def map_codeowners(folder: Path = Path(), *, out: Path | None = None, prefix: str = "/") -> None:
    """Write the map's decision rights as a CODEOWNERS file: who reviews which of its files.

    With "review from code owners" required, nobody merges a change to the goals or metrics that judge them
    alone. Example: `answerable map codeowners --out .github/CODEOWNERS`

    Args:
        folder: The workspace.
        out: File to write; standard output when absent.
        prefix: Where the workspace lies in its repository, e.g. `/answerable/`.
    """
    workspace = load(folder)
    files = {}
    for name, text in workspace.map_texts.items():
        data = parse(text, name).data
        files[f"map/{name}"] = tuple(data) if isinstance(data, dict) else ()
    said = codeowners(workspace.atlas, files, workspace.now, f"/{prefix.strip('/')}/".replace("//", "/"))
    if out is None:
        sys.stdout.write(said)
        return
    with writing_to(out):
        out.write_text(said, encoding="utf-8")
    sys.stdout.write(f"{out}\n")
