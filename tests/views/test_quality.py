"""The data-quality page stands beside the release, loads nothing, and says what the tables say."""

import json
import re
from datetime import date

import polars as pl
import pytest

from contracts.tables import TABLES, DimMetric, Restatement
from flows.cli import app
from tests.conftest import Sandbox, build_sandbox
from views.dictionary import page as dictionary_page
from views.quality import quality_page, share_text
from views.units import change_text, value_text

ROWS = (
    "a,a@x.de,2026-02-01T10:00:00,web,order,5",
    "b,b@x.de,2026-02-01T10:00:00,fax,order,5",
    "c,c@x.de,2026-02-01T10:00:00,<script>,order,5",
    "d,d@x.de,2026-02-01T10:00:00,web,order,4",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    sandbox = build_sandbox(tmp_path_factory.mktemp("page") / "workspace")
    sandbox.answers(*ROWS)
    sandbox.run()
    return (sandbox.root / "warehouse/published/current/quality.html").read_text()


def test_it_loads_nothing_from_anywhere(page: str):
    assert not re.search(r"(src|href)\s*=|@import|url\(|https?:|<script", page)


def test_it_says_what_waits_and_why(page: str):
    text = re.sub(r"<[^>]+>", " ", page)
    words = " ".join(text.split())
    assert "4 rows read 2 rows in quarantine (50.00%)" in words
    assert "survey.answers channel.enum error 2 50.00% 1 of 1 broken Head of sales" in words
    assert "Every feed came in time." in words


def test_on_a_phone_tables_scroll_and_what_is_said_of_them_does_not(page: str):
    dictionary = dictionary_page(TABLES, {})
    for text in (page, dictionary):
        assert text.count("<table") == text.count('<div class="scroll"><table') > 0
        assert "<caption" not in text


def test_parts_of_the_map_are_called_by_their_names(page: str):
    body = page.partition("How far to believe")[2]
    assert "<td>Order</td>" in body
    assert "<td>order</td>" not in body


def test_a_feed_that_stopped_is_told_first(sandbox: Sandbox):
    sandbox.replace("contracts/survey.odcs.yaml", "value: 40, unit: d", "value: 1, unit: d")
    sandbox.answers(*ROWS)
    sandbox.run()
    text = (sandbox.root / "warehouse/published/current/quality.html").read_text()
    assert "Feed survey is late or broken: what rests on it is not judged beyond its newest event." in text
    assert "late: 28.8 days" in text  # from 1 February 10:00 to 2 March 06:00, Berlin


def test_the_terminal_says_the_same(sandbox: Sandbox, capsys):
    sandbox.answers(*ROWS)
    sandbox.run()
    with pytest.raises(SystemExit) as ended:
        app(["quality", str(sandbox.root), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert [(r["rule"], r["failed"], r["deliveries"]) for r in said["broken_rules"]] == [
        ("channel.enum", 2, 1)
    ]
    assert said["feeds"][0]["rows_quarantined"] == 2
    with pytest.raises(SystemExit):
        app(["quality", str(sandbox.root)])
    assert "channel.enum" in capsys.readouterr().out


def test_a_share_that_is_there_is_never_shown_as_none():
    assert [share_text(value) for value in (0.0, 0.00001, 0.0123)] == ["0.00%", "<0.01%", "1.23%"]


@pytest.mark.parametrize(
    ("value", "unit", "said", "changed"),
    [
        (0.06, "share", "6.0%", "+6.0 points"),
        (-0.06, "share", "-6.0%", "-6.0 points"),
        (0.6, "points", "+1", "+0.6 points"),
        (0.5, "hours", "0.5 h", "+0.5 h"),
        (0.5, "per 1,000", "0.50", "+0.50"),
        (-1, "count", "-1", "-1"),
        (None, "share", "-", "-"),
    ],
)
def test_values_are_told_in_their_unit_and_changes_of_shares_in_points(value, unit, said, changed):
    assert (value_text(value, unit), change_text(value, unit)) == (said, changed)


def drawn_page(**told: pl.DataFrame) -> str:
    """The page of tables that are empty but for those told."""
    frames = {table.table_name(): table.empty() for table in TABLES} | told
    manifest = {"as_of": "2026-03-02T05:00", "tables": {"restatement": {"rows": 1}}}
    page = quality_page(frames, manifest, 1)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def one(table: type, **values: object) -> pl.DataFrame:
    schema = table.published_schema()
    return pl.DataFrame([{name: values.get(name) for name in schema}], schema=schema)


def test_half_an_hour_is_not_half_of_anything():
    day = date(2026, 2, 2)
    moved = one(
        Restatement, scorecard="scorecard_touchpoint", scope_id="desk", metric="wait", period="week", period_start=day,
        period_end=day, release_number=2, value_was=0.5, value_is=0.25, n_was=3, n_is=4, why="late events",
    )  # fmt: skip
    words = drawn_page(restatement=moved, dim_metric=one(DimMetric, metric="wait", unit="hours"))
    assert "desk wait week 2026-02-02 0.5 h 0.2 h 3 4 late events 2" in words
