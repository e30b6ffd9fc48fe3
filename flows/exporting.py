"""Contracts written as files that other tools read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from contracts.contract_export import feed_json_schema, json_schema, odcs, table_suite
from contracts.contract_suite import contract_suite
from contracts.odcs import DataContract
from contracts.tables import TABLES
from flows.locks import contracts_of, file_name, plain
from flows.outputs import writing_to
from flows.workspace import LoadedWorkspace


def export_tables(folder: Path) -> list[Path]:
    """Write the contracts of the published tables: one ODCS file, a JSON Schema and a suite for each.

    Args:
        folder: Where; it is made.

    Returns:
        The files.
    """
    written = [_yaml(folder / "published.odcs.yaml", odcs())]
    for table in TABLES:
        written.append(_json(folder / f"{table.table_name()}.schema.json", json_schema(table)))
        written.append(_json(folder / f"{table.table_name()}.suite.json", table_suite(table)))
    return written


def export_feeds(workspace: LoadedWorkspace, folder: Path) -> list[Path]:
    """Write the contracts of the feeds: an ODCS file each, a JSON Schema and a suite for each of its schemas.

    Args:
        workspace: The workspace.
        folder: Where; it is made.

    Returns:
        The files.

    Raises:
        WorkspaceError: Two different contracts share an id.
    """
    written = []
    for contract in contracts_of(workspace).values():
        written.append(_yaml(folder / f"{file_name(contract)}.odcs.yaml", as_odcs(contract)))
        for shape in contract.schema_:
            name = f"{file_name(contract)}.{shape.name}"
            written.append(_json(folder / f"{name}.schema.json", feed_json_schema(contract, shape)))
            written.append(_json(folder / f"{name}.suite.json", contract_suite(contract, shape)))
    return written


def as_odcs(contract: DataContract) -> dict[str, Any]:
    """A contract's values; types that are left out are said, as readers of the standard take none for granted."""
    values = plain(contract)
    for shape in values["schema"]:
        shape["properties"] = [{"name": p["name"], "logicalType": "string", **p} for p in shape["properties"]]
    return values


def _yaml(path: Path, values: Mapping[str, Any]) -> Path:
    return _text(path, yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True))


def _json(path: Path, values: Mapping[str, Any]) -> Path:
    return _text(path, json.dumps(values, indent=1) + "\n")


def _text(path: Path, text: str) -> Path:
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path
