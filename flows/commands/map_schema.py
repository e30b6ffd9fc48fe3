"""`answerable map schema`."""

import json
import sys
from pathlib import Path

from flows.outputs import writing_to


def map_schema(*, out: Path | None = None) -> None:
    """Print the JSON Schema of the map's files: with it editors complete and check while you write.

    `answerable init` puts it beside the map. To bring it up to date, or for a workspace without one:
    `answerable map schema --out map.schema.json`, and as the first line of each file of `map/`
    `# yaml-language-server: $schema=../map.schema.json`.

    Args:
        out: File to write; standard output when absent.
    """
    from contracts.map_schema import map_schema as made  # noqa: PLC0415 - the command has its name

    said = json.dumps(made(), indent=1, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(said)
        return
    with writing_to(out):
        out.write_text(said, encoding="utf-8")
    sys.stdout.write(f"{out}\n")
