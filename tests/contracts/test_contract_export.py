"""Our tables as contracts: other tools read them, and the rows keep them."""

import json

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from open_data_contract_standard.model import OpenDataContractStandard

from contracts.contract_export import json_schema, odcs
from contracts.tables import TABLES, Table
from tests.conftest import Sandbox


def test_the_standards_own_reader_reads_every_table_and_column():
    read = OpenDataContractStandard.model_validate(odcs())
    schemas = {one.name: one for one in read.schema_ or []}
    assert set(schemas) == {table.table_name() for table in TABLES}
    for table in TABLES:
        columns = {one.name: one for one in schemas[table.table_name()].properties or []}
        assert list(columns) == table.column_names()
        assert [n for n, one in columns.items() if one.primaryKey] == [
            n for n in table.column_names() if n in table.primary_key()
        ]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table_name())
def test_every_json_schema_is_one(table: type[Table]):
    Draft202012Validator.check_schema(json_schema(table))


def test_published_rows_keep_their_json_schema(sandbox: Sandbox):
    sandbox.answers("a,a@x.de,2026-02-01T10:00:00,web,order,5", "b,b@x.de,2026-02-01T10:00:00,fax,order,5")
    sandbox.run()
    for table in TABLES:
        rows = json.loads(sandbox.table(table.table_name()).write_json())
        check = Draft202012Validator(json_schema(table), format_checker=FormatChecker(["date"]))
        assert [error.message for row in rows for error in check.iter_errors(row)] == []
