"""The public workspaces give the figures that an independent implementation gave."""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from flows.run import Outcome, run_inline
from flows.workspace import LoadedWorkspace, load

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("ANSWERABLE_SHARED", ROOT.parent / "shared"))
DATA = {
    "servicenow_incidents": ["ticketing_servicenow/incident_event_log.csv.gz"],
    "sfo_survey": [f"survey_sfo/{year}_SFO_Customer_Survey.csv" for year in range(2013, 2018)],
    "online_retail": ["crm_online_retail/online_retail_2010_2011.csv.gz"],
    "telco_churn": ["crm_telco/Telco-Customer-Churn.csv"],
}
ROWS = {
    "servicenow_incidents": 141_712,
    "sfo_survey": 15_229,
    "online_retail": 541_909,
    "telco_churn": 7_043,
}


@dataclass(frozen=True)
class Expected:
    """A table that was computed elsewhere, and is reproduced whole.

    Attributes:
        workspace: The workspace whose query makes it.
        keys: Its grain.
    """

    workspace: str
    keys: tuple[str, ...] = ("key",)


EXPECTED = {
    "servicenow_headline": Expected("servicenow_incidents", ("metric",)),
    "servicenow_by_priority": Expected("servicenow_incidents"),
    "servicenow_by_group": Expected("servicenow_incidents"),
    "servicenow_by_contact_type": Expected("servicenow_incidents"),
    "servicenow_by_month_opened": Expected("servicenow_incidents"),
    "servicenow_backlog_daily": Expected("servicenow_incidents", ("day",)),
    "servicenow_group_handover_edges": Expected("servicenow_incidents", ("src", "dst")),
    "servicenow_sla_weekly_chart": Expected("servicenow_incidents", ("week_start",)),
    "servicenow_littles_law_2016_04": Expected("servicenow_incidents", ("metric",)),
    "servicenow_resolution_km_asof": Expected("servicenow_incidents", ("as_of",)),
    "sfo_touchpoint_scores": Expected("sfo_survey", ("year", "touchpoint")),
    "sfo_nps": Expected("sfo_survey", ("year", "segment", "weighted")),
    "sfo_problem_rate": Expected("sfo_survey", ("year",)),
    "sfo_yoy_change": Expected("sfo_survey", ("from_year", "touchpoint")),
    "sfo_drivers": Expected("sfo_survey", ("driver",)),
    "retail_headline": Expected("online_retail", ("metric",)),
    "retail_monthly": Expected("online_retail", ("ym",)),
    "retail_by_country": Expected("online_retail", ("Country",)),
    "retail_cohort_retention": Expected("online_retail", ("cohort", "month_offset")),
    "retail_repeat": Expected("online_retail", ("metric",)),
    "telco_headline": Expected("telco_churn", ("metric",)),
    "telco_by_segment": Expected("telco_churn", ("segment", "value")),
    "telco_km_curve": Expected("telco_churn", ("tenure_months",)),
    "telco_mix_rate_new_vs_old_by_contract": Expected("telco_churn", ("contract",)),
}


@dataclass(frozen=True)
class PublicRun:
    """A public workspace that was run on its data."""

    workspace: LoadedWorkspace
    outcome: Outcome

    def query(self, sql: str) -> pl.DataFrame:
        """A query over the published tables, as their reader would ask it."""
        with duckdb.connect() as tables:
            views = self.workspace.warehouse / "published" / "current" / "views.sql"
            tables.execute(views.read_text(encoding="utf-8"))
            return tables.sql(sql).pl()

    def table(self, name: str) -> pl.DataFrame:
        """What the workspace's query of this name makes: SQL alone, or a method over what SQL answers."""
        written = self.workspace.root / "queries" / f"{name}.sql"
        if written.exists():
            return self.query(written.read_text(encoding="utf-8"))
        spec = importlib.util.spec_from_file_location(name, written.with_suffix(".py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.table(self.query)


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], PublicRun]:
    """A public workspace, run once on its data; a test that asks for it is skipped without them."""
    runs: dict[str, PublicRun] = {}

    def run(name: str) -> PublicRun:
        files = [SHARED / "data" / file for file in DATA[name]]
        missing = sum(not file.is_file() for file in files)
        if missing:
            pytest.skip(
                f"{missing} of {len(files)} data files of {name} are not there: set ANSWERABLE_SHARED"
            )
        if name not in runs:
            folder = tmp_path_factory.mktemp(name) / name
            ignored = shutil.ignore_patterns("warehouse", "*.csv", "*.csv.gz")
            shutil.copytree(ROOT / "examples" / name, folder, ignore=ignored)
            for file in files:
                (folder / "inbox" / file.name).symlink_to(file.resolve())
            workspace = load(folder)
            runs[name] = PublicRun(workspace, run_inline(workspace))
        return runs[name]

    return run


def differences(expected: pl.DataFrame, product: pl.DataFrame, keys: tuple[str, ...]) -> list[str]:
    """What differs, cell by cell, on the columns both tables have."""
    one, other = (frame.with_columns(pl.col(keys).cast(pl.String)) for frame in (expected, product))
    found = [
        f"{name}: {keys} are not unique"
        for name, frame in (("expected", one), ("product", other))
        if frame.select(keys).is_duplicated().any()
    ]
    found += [f"missing: {row}" for row in one.join(other, on=keys, how="anti").select(keys).iter_rows()]
    found += [f"extra: {row}" for row in other.join(one, on=keys, how="anti").select(keys).iter_rows()]
    both = one.join(other, on=keys, suffix=" made")
    for column in expected.columns:
        if column in keys or column not in product.columns:
            continue
        wanted, made = both[column], both[f"{column} made"]
        cells = both.select(*keys, column, f"{column} made").filter(~same(wanted, made))
        found += [f"{column}: {row}" for row in cells.iter_rows()]
    return found


def same(wanted: pl.Series, made: pl.Series) -> pl.Series:
    """Which cells are equal: numbers up to a billionth, everything else as text; missing equals missing."""
    if wanted.dtype.is_numeric() and made.dtype.is_numeric():
        one, other = (cells.cast(pl.Float64).fill_nan(None) for cells in (wanted, made))
        near = (one - other).abs() <= 1e-9 + 1e-9 * other.abs()
        return near.fill_null(value=False) | (one.is_null() & other.is_null())
    return wanted.cast(pl.String).eq_missing(made.cast(pl.String))


def digests(run: PublicRun) -> dict[str, str]:
    """Every published file's bytes, by table."""
    shown = run.workspace.warehouse / "published" / "current"
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shown.glob("*/*.parquet")
    }


@pytest.mark.parametrize("name", sorted(DATA))
def test_a_public_workspace_contradicts_nothing(name: str):
    assert load(ROOT / "examples" / name).feeds


@pytest.mark.parametrize("name", sorted(DATA))
def test_its_contracts_keep_the_open_standard(name: str):
    contracts = sorted((ROOT / "examples" / name / "contracts").glob("*.odcs.yaml"))
    assert contracts
    for path in contracts:
        assert OpenDataContractStandard.from_file(str(path)).apiVersion == "v3.2.0"


@pytest.mark.parametrize("name", sorted(DATA))
def test_every_query_is_compared(name: str):
    queries = {path.stem for path in (ROOT / "examples" / name / "queries").glob("*.*")}
    assert queries == {table for table, one in EXPECTED.items() if one.workspace == name}


@pytest.mark.shared
def test_no_expected_table_is_left_out():
    folder = SHARED / "data" / "expected"
    if not folder.is_dir():
        pytest.skip("1 folder of expected tables is not there: set ANSWERABLE_SHARED")
    assert {path.stem for path in folder.glob("*.parquet")} == set(EXPECTED)


@pytest.mark.shared
@pytest.mark.parametrize("table", EXPECTED)
def test_a_query_gives_the_expected_figures(public: Callable[[str], PublicRun], table: str):
    one = EXPECTED[table]
    run = public(one.workspace)
    wanted = pl.read_parquet(SHARED / "data" / "expected" / f"{table}.parquet")
    made = run.table(table)
    assert set(made.columns) == set(wanted.columns)
    assert differences(wanted, made, one.keys) == []


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(DATA))
def test_every_row_is_accounted_for(public: Callable[[str], PublicRun], name: str):
    trust = public(name).query("SELECT * FROM data_trust")
    read, accepted, quarantined, duplicate = (
        trust[f"rows_{what}"].sum() for what in ("read", "accepted", "quarantined", "duplicate")
    )
    assert read == accepted + quarantined + duplicate
    assert (read, quarantined, duplicate) == (ROWS[name], 0, 0)


@pytest.mark.shared
def test_every_update_of_an_incident_is_one_event(public: Callable[[str], PublicRun]):
    run = public("servicenow_incidents")
    told = run.query("SELECT value FROM scorecard_company WHERE period = 'to_date' AND metric = 'updates'")
    assert told["value"].to_list() == [141_712]
    # Besides, every incident was opened and closed once, and resolved once if it was.
    assert run.outcome.absorbed.new == 141_712 + 24_918 + 24_918 + 23_362


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(DATA))
def test_a_second_run_publishes_the_same_bytes(public: Callable[[str], PublicRun], name: str):
    run = public(name)
    before = digests(run)
    again = run_inline(run.workspace)
    assert again.is_unchanged
    assert again.release.number > run.outcome.release.number
    assert digests(run) == before
