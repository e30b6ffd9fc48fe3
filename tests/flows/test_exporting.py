"""Contracts as files for other tools: they are what they claim to be, and the data keeps them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import open_data_contract_standard
import polars as pl
import pytest
import yaml
from jsonschema import Draft202012Validator, validators

from contracts.gx_polars import Validation
from contracts.odcs import DataContract
from flows.exporting import export_feeds, export_tables
from flows.locks import contracts_of
from flows.workspace import load
from tests.conftest import ROOT, Sandbox

WORKSPACES = sorted(path.parent for path in (ROOT / "examples").glob("*/answerable.yaml"))
ODCS = json.loads((Path(open_data_contract_standard.__file__).parent / "schema.json").read_text())


def plain(path: Path) -> Any:
    return json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))


@pytest.mark.parametrize("root", WORKSPACES, ids=lambda root: root.name)
def test_contracts_of_feeds_keep_the_standards_schema_and_mean_the_same(root: Path, tmp_path: Path):
    workspace = load(root)
    written = export_feeds(workspace, tmp_path)
    check = validators.validator_for(ODCS)(ODCS)
    files = [path for path in written if path.name.endswith(".odcs.yaml")]
    assert [error.message for path in files for error in check.iter_errors(plain(path))] == []
    read = [DataContract.model_validate(yaml.safe_load(path.read_text())) for path in files]
    assert read == list(contracts_of(workspace).values()), "read back, it is the same contract"
    for path in written:
        if path.name.endswith(".schema.json"):
            Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_contracts_of_tables_keep_the_standards_schema(tmp_path: Path):
    export_tables(tmp_path)
    check = validators.validator_for(ODCS)(ODCS)
    assert [error.message for error in check.iter_errors(plain(tmp_path / "published.odcs.yaml"))] == []


QUALITY = """
    quality:
      - {id: low, type: sql, query: "SELECT COUNT(*) FROM ${object} WHERE satisfaction < 2", mustBe: 0, severity: warning}
      - {id: rows, type: library, metric: rowCount, mustBeBetween: [1, 3]}
    properties:
"""
ROWS = {
    "answer_id": ["a", "b", "b"],
    "email": ["a@x.de", None, None],
    "answered_at": [datetime(2026, 2, 1, 10, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC), None],
    "channel": ["web", "fax", None],
    "about": ["order", None, "order"],
    "satisfaction": [5, 1, 9],
}


def test_a_feeds_suite_and_schema_judge_typed_rows(sandbox: Sandbox, tmp_path: Path):
    sandbox.replace("contracts/survey.odcs.yaml", "\n    properties:\n", QUALITY)
    sandbox.replace(
        "contracts/survey.odcs.yaml",
        "{property: freshness, value: 40, unit: d}",
        "{property: freshness, value: 2, unit: d, element: answers.answered_at}",
    )
    export_feeds(sandbox.load(), tmp_path)
    suite = json.loads((tmp_path / "survey.answers.suite.json").read_text())
    assert suite["meta"] == {"contract": "survey@1.0.0", "schema": "answers", "maxQuarantineRate": 0.5}
    found = Validation(suite)(pl.DataFrame(ROWS), {"answered_at_since": "2026-01-30T00:00:00+00:00"})
    assert {rule: one.broken for rule, one in found.items() if one.state != "passed"} == {
        "answered_at.required": 1,
        "channel.enum": 1,
        "about.required": 1,
        "satisfaction.maximum": 1,
        "low": 1,
        "primary_key.unique": 1,
    }
    assert found["low"].severity == "warning"
    more = pl.concat([pl.DataFrame(ROWS)] * 2).drop("about")
    stale = Validation(suite)(more, {"answered_at_since": "2026-04-30T00:00:00+00:00"})
    assert {
        rule for rule in ("rows", "columns", "answered_at.freshness") if stale[rule].state == "failed"
    } == {
        "rows",
        "columns",
        "answered_at.freshness",
    }
    assert stale["about.required"].state == "error", "a column that vanished"
    check = Draft202012Validator(json.loads((tmp_path / "survey.answers.schema.json").read_text()))
    broken = [
        sorted({error.json_path for error in check.iter_errors(row)})
        for row in json.loads(pl.DataFrame(ROWS).write_json())
    ]
    assert broken == [[], ["$.about", "$.channel"], ["$.answered_at", "$.satisfaction"]]


def test_published_tables_keep_their_suites_and_broken_ones_do_not(sandbox: Sandbox, tmp_path: Path):
    sandbox.answers("a,a@x.de,2026-02-01T10:00:00,web,order,5", "b,b@x.de,2026-02-01T10:00:00,fax,order,5")
    sandbox.run()
    export_tables(tmp_path)
    for name in ("scorecard_touchpoint", "dq_rule_results", "quarantine", "data_trust"):
        validation = Validation(json.loads((tmp_path / f"{name}.suite.json").read_text()))
        table = sandbox.table(name)
        assert table.height
        assert {one.state for one in validation(table).values()} == {"passed"}, name
        assert validation(pl.concat([table, table]))["grain"].state == "failed"


def test_everything_is_exported_by_one_command(sandbox: Sandbox, tmp_path: Path, call: Callable):
    said = call("contracts", "export", sandbox.root, "--to", tmp_path / "to")
    assert said.code == 0
    assert sorted(path.name for path in (tmp_path / "to/feeds").iterdir()) == [
        "survey.answers.schema.json",
        "survey.answers.suite.json",
        "survey.odcs.yaml",
    ]
    assert (tmp_path / "to/tables/published.odcs.yaml").is_file()
    assert "is no workspace" in call("contracts", "export", tmp_path, "--to", tmp_path / "to").out


def test_data_docs_show_counts_and_nobody(sandbox: Sandbox, tmp_path: Path, call: Callable):
    sandbox.answers(
        "a,ada@x.de,2026-02-01T10:00:00,carrier-pigeon,order,5", "b,b@x.de,2026-02-01T10:00:00,web,order,5"
    )
    said = call("contracts", "docs", sandbox.root, "--to", tmp_path / "docs")
    assert "survey.answers: inbox/answers.csv, 9 expectations, 2 rows: channel.enum 1" in said.out
    assert "from the internet" in said.err
    pages = list((tmp_path / "docs").rglob("*.html"))
    assert (tmp_path / "docs/index.html") in pages
    text = "".join(path.read_text() for path in pages)
    assert "channel" in text
    assert not any(told in text for told in ("ada@x.de", "carrier-pigeon"))
    assert not (sandbox.root / "warehouse").exists(), "nothing is kept"
    assert call("contracts", "docs", sandbox.root, "--to", sandbox.root).code == 3
    assert call("contracts", "docs", sandbox.root, "--to", tmp_path / "docs").code == 0, "pages are replaced"
