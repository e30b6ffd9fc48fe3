"""`datacontract`, another reader of the same standard, counts what we count and finds what breaks.

`ANSWERABLE_DATACONTRACT` names the command: `pip install 'datacontract-cli[duckdb,parquet]'` into an environment
of its own, as it pins an older duckdb.
"""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from contracts.contract_diff import changes
from contracts.contract_suite import contract_suite
from contracts.feeds import Feed
from contracts.gx_polars import Subject, Validation
from flows.exporting import as_odcs
from flows.feeds import load as load_kind
from flows.locks import plain
from flows.validation import known
from flows.workspace import load
from tests.conftest import CONTRACT, Company
from tests.contracts.test_contract_diff import SEEDED
from tests.contracts.test_odcs import bound
from transforms.conform import conform

DATACONTRACT = os.environ.get("ANSWERABLE_DATACONTRACT", "")
pytestmark = pytest.mark.skipif(
    not DATACONTRACT, reason="datacontract is not here: set ANSWERABLE_DATACONTRACT"
)
CLOCK = datetime(2026, 11, 1, 6, tzinfo=UTC)
KINDS = {
    "field_required": "{field}.required",
    "field_enum": "{field}.enum",
    "field_regex": "{field}.pattern",
    "field_minimum": "{field}.minimum",
    "field_maximum": "{field}.maximum",
    "field_relationships": "{field}.reference",
    "model_quality_sql": "{qualityId}",
    "field_primary_key_unique": "primary_key.unique",
    "primary_key_unique": "primary_key.unique",
}
"""Our rules by its kinds of check; types it does not check in Parquet, and freshness by a clock of its own."""


def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "400", "NO_COLOR": "1"}
    return subprocess.run(
        [DATACONTRACT, *map(str, words)], capture_output=True, text=True, env=environment, check=False
    )


def written(root: Path, feed: Feed, folder: Path) -> tuple[Path, dict[str, pl.DataFrame]]:
    """A feed's contract and every row of its streams as typed tables, as Parquet beside it."""
    contract = next(iter(feed.contracts.values()))
    tables: dict[str, pl.DataFrame] = {}
    for stream in feed.declared.streams:
        kind, shape = load_kind(feed.declared.kind), feed.shapes[stream.name]
        rows = pl.concat(
            [kind.read(o, stream, shape).rows for o in kind.offers(stream, root)], how="diagonal"
        )
        typed = conform(rows, shape, stream, "UTC").select(p.name for p in shape.properties)
        tables[shape.name] = typed
        typed.write_parquet(folder / f"{shape.name}.parquet")
    values = as_odcs(contract)
    path = str(folder / "{model}.parquet")
    values["servers"] = [{"server": "local", "type": "local", "path": path, "format": "parquet"}]
    for shape in values["schema"]:
        shape["properties"] = [
            {k: v for k, v in p.items() if k != "physicalName"} for p in shape["properties"]
        ]
    file = folder / "contract.odcs.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return file, tables


def theirs(file: Path) -> dict[tuple[str, str], int]:
    said = call("test", file, "--output-format", "json", "--output", file.with_suffix(".json"))
    assert file.with_suffix(".json").is_file(), said.stderr
    found = {}
    for check in json.loads(file.with_suffix(".json").read_text())["checks"]:
        if check["type"] in KINDS:
            counts = check["diagnostics"]
            # It counts repeated keys and all of their rows; we the rows after the first of each.
            value = (
                counts["value"] if "unique" not in check["type"] else counts["failed_rows"] - counts["value"]
            )
            found[check["model"], KINDS[check["type"]].format(**check)] = value
    return found


def ours(feed: Feed, tables: dict[str, pl.DataFrame]) -> dict[tuple[str, str], int | None]:
    found = {}
    contract = next(iter(feed.contracts.values()))
    for shape in contract.schema_:
        pointed = [relation.to for column in shape.properties for relation in column.relationships]
        references = known({to: tables[to.split(".")[-2]][to.split(".")[-1]] for to in pointed})
        suite: dict[str, Any] = contract_suite(contract, shape, CLOCK)
        for rule, one in Validation(suite)(Subject(tables[shape.name], references)).items():
            found[shape.name, rule] = one.broken
    return found


@pytest.mark.parametrize("name", ["crm", "survey", "tickets"])
def test_it_counts_what_our_suites_count(company: Company, tmp_path: Path, name: str):
    workspace = load(company.root)
    feed = next(feed for feed in workspace.feeds if feed.name == name)
    file, tables = written(company.root, feed, tmp_path)
    counted, mine = theirs(file), ours(feed, tables)
    sys.stdout.write(f"\n{name}: {len(counted)} rules, broken: { {k: v for k, v in counted.items() if v} }\n")
    assert len(counted) >= 10
    assert {key: mine[key] for key in counted} == counted


def test_it_calls_breaking_what_we_call_breaking(tmp_path: Path):
    """Each of the five from the side that it breaks; ours, a feed's contract, is that of who delivers."""
    before = tmp_path / "before.odcs.yaml"
    before.write_text(yaml.safe_dump(as_odcs(bound())))
    for old, new, path, _ in SEEDED:
        after = tmp_path / "after.odcs.yaml"
        after.write_text(yaml.safe_dump(as_odcs(bound(CONTRACT.replace(old, new)))))
        told = [call("breaking", before, after, "--perspective", side) for side in ("producer", "consumer")]
        errors = {line for one in told for line in one.stdout.splitlines() if re.search(r"\bERROR\b", line)}
        column = path.split(".")[1]
        assert any(f"properties.{column}" in line for line in errors), (path, told)
        assert any(one.returncode == 1 for one in told)
        mine = {
            c.path: c.bump("input") for c in changes(plain(bound()), plain(bound(CONTRACT.replace(old, new))))
        }
        assert mine[path] == "major"
        sys.stdout.write(f"{path}: datacontract {[one.returncode for one in told]}, ours {mine}\n")
