"""Releases: all tables of one run, or those of the run before; as files that any tool reads."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dataframely as dy
import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

import warehouse.by_row
import warehouse.promises
from contracts.dictionary import arrow_schema
from contracts.errors import PromiseError, StoreError
from contracts.tables import Column, FactCase, ScorecardCompany, Table
from contracts.tables.base import count, day, flag, instant, key, number, one_of, text
from tests.conftest import Company
from tests.warehouse.dying import every_death
from views.beside import EXTRA_COLUMNS, beside_release
from warehouse.promises import as_published
from warehouse.releases import Part, Release, Releases, TableFile

LATE = 1e12
"""An instant after everything: with it a sweep knows no grace."""


class _Named(Table):
    """A table of these tests alone: the underscore of its class is not part of its name."""

    @classmethod
    def table_name(cls) -> str:
        return super().table_name().strip("_")


class _Weather(_Named):
    """The weather of every day and place.

    Grain: day, place.
    """

    date = day("Day.", primary_key=True)
    place = key("Where it was.")
    sky = one_of(("clear", "grey"), "What it looked like.")
    degrees = number("Temperature at noon; null when nobody looked.", "°C")
    low = number("Lower end of it.", "°C")
    high = number("Upper end of it.", "°C")
    readings = count("Times somebody looked.", "readings")
    looked_at = instant("When somebody looked last.", nullable=True)
    is_final = flag("Whether the day is over.")

    @dy.rule()
    def degrees_in_interval(cls) -> pl.Expr:
        """The temperature lies in its interval."""
        return pl.col("degrees").is_null() | pl.col("degrees").is_between("low", "high")


class _Place(_Named):
    """Every place.

    Grain: place.
    """

    place = key("Which one.")
    name = text("Its name.")


TABLES = (_Weather, _Place)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def weather(degrees: float = 10.0, rows: int = 3) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "date": date(2026, 3, 1) + timedelta(days=index // 2),
                "place": ("oslo", "bergen")[index % 2],
                "sky": ("clear", "grey")[index % 2],
                "degrees": degrees + index,
                "low": degrees - 1,
                "high": degrees + rows,
                "readings": index,
                "looked_at": NOON + timedelta(days=index) if index else None,
                "is_final": index > 0,
            }
            for index in range(rows)
        ],
        schema={**_Weather.published_schema(), "sky": pl.String()},
    )


def places(name: str = "Oslo") -> pl.DataFrame:
    return pl.DataFrame({"place": ["oslo", "bergen"], "name": [name, "Bergen"]})


MOOD = Column(pl.String(), "How people are.", "mood")


def beside(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return beside_release(folder, manifest, TABLES)


def publish(
    releases: Releases, degrees: float = 10.0, parent: int | None = None, name: str = "Oslo"
) -> Release:
    """Publish both tables; the place's name tells the temperature, so that mixing would show."""
    files = (releases.put(_Weather, weather(degrees)), releases.put(_Place, places(f"{name} {degrees}")))
    facts = {"run": "r", "store_commit": 1, EXTRA_COLUMNS: {"place": {"attribute_mood": MOOD.as_dict()}}}
    return releases.publish(files, facts, beside, parent)


def seen(folder: Path) -> tuple[float, str]:
    """The two facts that tell which release a folder shows."""
    shown = pl.read_parquet(folder / "weather/*.parquet"), pl.read_parquet(folder / "place/*.parquet")
    return shown[0]["degrees"].min(), shown[1].filter(place="oslo")["name"].item()


def shown(releases: Releases) -> tuple[float, str]:
    return seen((releases.root / "current").resolve())


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path / "published")


# What tools read


def _pandas(frame: pd.DataFrame) -> pl.DataFrame:
    return pl.from_pandas(frame)


READERS: dict[str, Callable[[str], pl.DataFrame]] = {
    "polars, folder": pl.read_parquet,
    "polars, glob": lambda folder: pl.read_parquet(f"{folder}/*.parquet"),
    "polars, lazy": lambda folder: pl.scan_parquet(f"{folder}/*.parquet").collect(),
    "duckdb, glob": lambda folder: duckdb.sql(f"FROM read_parquet('{folder}/*.parquet')").pl(),
    "pandas, folder": lambda folder: _pandas(pd.read_parquet(folder)),
    "pyarrow, folder": lambda folder: pl.DataFrame(pl.from_arrow(pq.read_table(folder))),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_tool_reads_a_table_of_current_as_it_lies(releases: Releases, reader: str):
    publish(releases)
    found = READERS[reader](str(releases.root / "current/weather"))
    wanted = weather().sort("date", "place")
    types = {name: kind for name, kind in wanted.schema.items() if name != "sky"}
    assert found.columns == wanted.columns
    assert found.with_columns(
        pl.col("sky").cast(pl.String), *(pl.col(n).cast(t) for n, t in types.items())
    ).equals(wanted)


def test_descriptions_and_units_travel_with_the_columns(releases: Releases):
    publish(releases)
    file = next((releases.root / "current/weather").iterdir())
    schema = pq.read_schema(file)
    assert (
        schema.field("degrees").metadata[b"description"] == b"Temperature at noon; null when nobody looked."
    )
    assert schema.field("degrees").metadata[b"unit"].decode() == "°C"
    assert b"unit" not in schema.field("place").metadata
    assert all(field.metadata[b"description"] for field in schema)
    told = {
        "polars": pl.read_parquet_metadata(file),
        "pyarrow": {k.decode(): v.decode() for k, v in pq.read_metadata(file).metadata.items()},
        "duckdb": {
            k.decode(): v.decode()
            for k, v in duckdb.sql(f"SELECT key, value FROM parquet_kv_metadata('{file}')").fetchall()  # noqa: S608 - our own path
        },
    }
    for metadata in told.values():
        assert metadata["answerable.table"] == "weather"
        assert metadata["answerable.summary"] == "The weather of every day and place."
        assert metadata["answerable.grain"] == "date, place"
        assert json.loads(metadata["answerable.columns"])["readings"]["unit"] == "readings"


def test_views_sql_opens_in_duckdb_from_anywhere_and_names_one_release_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    releases = Releases(Path("published"))  # as with `answerable run shop`
    publish(releases, 10.0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tables = duckdb.connect()
    tables.execute((releases.root / "current/views.sql").read_text())
    publish(releases, 20.0)
    joined = "SELECT min(degrees), any_value(name) FROM weather JOIN place USING (place) WHERE place = 'oslo'"
    assert tables.execute(joined).fetchone() == (10.0, "Oslo 10.0")
    comments = tables.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall()
    assert ("place", "Every place.") in comments


def test_a_release_is_read_the_same_by_its_manifest_as_in_its_folder(releases: Releases):
    release = publish(releases)
    frame = releases.frame(release, "weather")
    assert frame.equals(pl.read_parquet(releases.root / "current/weather/*.parquet"))
    with pytest.raises(StoreError, match=r"release 1: has no table 'climate'\. It has: place, weather\."):
        releases.frame(release, "climate")


# Numbers, manifests, reuse


def test_a_manifest_names_every_table_the_parent_and_what_it_rests_on(releases: Releases):
    publish(releases, 10.0)
    release = publish(releases, 20.0)
    manifest = json.loads((releases.root / "current/release.json").read_bytes())
    assert (manifest["number"], manifest["parent"], manifest["store_commit"]) == (2, 1, 1)
    assert manifest["tables"].keys() == {"weather", "place"}
    for table in manifest["tables"].values():
        path = releases.root / table["path"]
        assert (path.stat().st_size, pq.read_metadata(path).num_rows) == (table["bytes"], table["rows"])
    assert releases.head() == releases.read(2) == release


def test_a_table_that_did_not_change_keeps_its_very_file(releases: Releases):
    first = publish(releases, 10.0)
    same = releases.put(_Weather, weather(10.0).reverse())
    second = releases.publish((same, releases.put(_Place, places("Christiania"))), {}, beside)
    assert [(one.table, one.is_reused) for one in second.tables] == [("weather", True), ("place", False)]
    inodes = {(release.folder / same.shown).stat().st_ino for release in (first, second)}
    assert inodes == {(releases.root / same.path).stat().st_ino}
    assert (first.folder / same.shown).read_bytes() == (second.folder / same.shown).read_bytes()


def test_a_file_that_a_killed_run_left_was_never_published_and_does_not_count_as_reused(releases: Releases):
    releases.put(_Weather, weather())
    assert [one.is_reused for one in publish(releases).tables] == [False, False]
    assert [one.is_reused for one in publish(releases).tables] == [True, True]


def test_a_table_as_it_was_published_gives_the_same_file_again(company: Company, releases: Releases):
    published = next(one for one in company.outcome.release.tables if one.table == "scorecard_company")
    again = releases.put(
        ScorecardCompany, company.table("scorecard_company").sample(fraction=1, shuffle=True)
    )
    assert again.sha256 == published.sha256


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(12)), columns=st.permutations(weather().columns))
def test_rows_and_columns_in_any_order_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], columns: list[str]
):
    root = tmp_path_factory.getbasetemp() / "any order"
    with patch.object(os, "fsync"):
        straight = Releases(root / "straight").put(_Weather, weather(rows=12))
        drawn = Releases(root / "drawn").put(_Weather, weather(rows=12)[order].select(columns))
    assert drawn.sha256 == straight.sha256


# Promises


def _with(**columns: pl.Expr | pl.Series) -> pl.DataFrame:
    return weather().with_columns(**columns)


BROKEN: dict[str, tuple[pl.DataFrame, str]] = {
    "a value outside its interval": (_with(degrees=pl.lit(99.0)), "3 rows break its contract (degrees_in_interval 3)"),
    "a doubled grain": (pl.concat([weather(), weather().head(1)]), "2 rows break its contract (primary_key 2)"),
    "a null where there is none": (
        _with(is_final=pl.Series([True, None, False])),
        "1 rows break its contract (is_final|nullability 1)",
    ),
    "a null in the grain": (_with(place=pl.Series(["oslo", None, "bergen"])), "place|nullability 1"),
    "a count below zero": (_with(readings=pl.lit(-1)), "readings|min 3"),
    "no number": (_with(degrees=pl.lit(float("nan")), low=None, high=None), "degrees|nan 3"),
    "a missing column": (weather().drop("low", "sky"), "it lacks sky, low"),
    "text for a number": (_with(readings=pl.lit("7")), "readings is String, not Int64"),
    "a fraction for a count": (_with(readings=pl.lit(1.5)), "readings is Float64, not Int64"),
    "a number for text": (_with(place=pl.lit(7)), "place is Int32, not String"),
    "an instant for a day": (_with(date=pl.lit(NOON)), "date is Datetime(time_unit='us', time_zone='UTC'), not Date"),
    "an instant of another zone": (
        _with(looked_at=pl.col("looked_at").dt.convert_time_zone("Europe/Oslo")),
        "looked_at is Datetime(time_unit='us', time_zone='Europe/Oslo')",
    ),
    "a word nobody promised": (_with(sky=pl.lit("pink")), "conversion from `str` to `enum` failed"),
    "a count too large": (
        _with(readings=pl.lit(2**64 - 1, dtype=pl.UInt64)),
        "conversion from `u64` to `i64` failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_table_that_breaks_its_promise_publishes_nothing_and_the_last_release_stands(
    releases: Releases, broken: str
):
    publish(releases, 10.0)
    before = {path: path.lstat().st_mtime_ns for path in releases.root.rglob("*")}
    wrong, what = BROKEN[broken]
    with pytest.raises(PromiseError) as error:
        releases.put(_Weather, wrong)
    said = str(error.value)
    assert said.startswith("weather: not published: ")
    assert what in said
    assert said.endswith("The last release stands. This is a defect: report it.")
    assert {path: path.lstat().st_mtime_ns for path in releases.root.rglob("*")} == before
    assert releases.manifests.head() == 1
    assert shown(releases) == (10.0, "Oslo 10.0")


def test_a_scorecard_whose_value_left_its_interval_is_not_published(company: Company, releases: Releases):
    cards = company.table("scorecard_company")
    wrong = cards.with_columns(
        value=pl.when(pl.int_range(pl.len()) == pl.col("value_low").is_not_null().arg_max())
        .then(pl.col("value_high") + 1)
        .otherwise("value"),
        interval_method=pl.lit("wilson"),
    )
    with pytest.raises(PromiseError, match=r"scorecard_company: not published: .*value_in_interval"):
        releases.put(ScorecardCompany, wrong)


@pytest.fixture
def cases(company: Company, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """The company's cases out of order, many for what is checked and written at once."""
    monkeypatch.setattr(warehouse.promises, "SLICE_ROWS", 70)
    monkeypatch.setattr(warehouse.by_row, "SLICE_ROWS", 70)
    frame = company.table("fact_case").select(FactCase.column_names())
    return frame.sample(fraction=1, shuffle=True, seed=1)


def test_a_table_written_by_slices_holds_what_one_written_at_once_holds(
    cases: pl.DataFrame, releases: Releases
):
    one = releases.put(FactCase, cases)
    other = releases.put(FactCase, cases.reverse())
    assert (one.rows, one.path) == (cases.height, other.path)
    assert pl.read_parquet(releases.root / one.path).equals(as_published(FactCase, cases, {}))


def test_texts_that_come_as_codes_are_written_as_texts(cases: pl.DataFrame, releases: Releases):
    told = as_published(FactCase, cases, {})
    texts = [name for name, kind in told.schema.items() if kind == pl.String]
    kinds = {name: pl.Enum(["", *told[name].drop_nulls().unique().sort(), "~"]) for name in texts}
    as_codes = pl.concat([one.cast(kinds) for one in told.iter_slices(33)])
    one, other = releases.put(FactCase, told), releases.put(FactCase, as_codes)
    assert one.path == other.path
    path = releases.root / one.path
    assert pl.read_parquet(path).equals(told)
    assert pl.DataFrame(pq.read_table(path)).equals(told)
    by_duckdb = pl.DataFrame(duckdb.read_parquet(str(path)).to_arrow_table())
    assert by_duckdb.cast(dict(told.schema)).equals(told)
    assert pq.read_schema(path).remove_metadata().equals(arrow_schema(FactCase), check_metadata=True)
    with pytest.raises(PromiseError, match=re.escape("feed|nullability")):
        releases.put(FactCase, as_codes.with_columns(feed=pl.lit(None, kinds["feed"])))


def test_texts_of_which_nearly_each_is_another_have_no_dictionary(tmp_path: Path):
    many = [None if row < 2_000 else f"text {row}" for row in range(4_000)]
    rows = pl.DataFrame(
        {"id": [f"{row:04}" for row in range(4_000)], "few": ["a", None] * 2_000, "many": many}
    )
    schema = rows.to_arrow().schema
    warehouse.by_row.write(tmp_path / "rows.parquet", rows, ["id"], schema, {})
    assert pl.read_parquet(tmp_path / "rows.parquet").equals(rows)
    told = pq.read_metadata(tmp_path / "rows.parquet").row_group(0)
    assert [told.column(place).has_dictionary_page for place in range(3)] == [False, True, False]
    assert [told.column(place).is_stats_set for place in range(3)] == [True, False, False]


def test_no_cases_are_written_as_a_table_without_rows(releases: Releases):
    one = releases.put(FactCase, FactCase.empty())
    assert pl.read_parquet(releases.root / one.path).equals(FactCase.empty())


@pytest.mark.parametrize("at", [0, 35, 69, 70, 140, -1])
def test_a_table_written_by_slices_has_every_key_once(cases: pl.DataFrame, releases: Releases, at: int):
    doubled = cases.sort(FactCase.primary_key())[at]
    with pytest.raises(PromiseError, match=re.escape("2 rows break its contract (primary_key 2)")):
        releases.put(FactCase, pl.concat([cases, doubled]))
    assert list(releases.root.rglob("*.parquet")) == []


def test_a_table_written_by_slices_keeps_its_promises(cases: pl.DataFrame, releases: Releases):
    broken = cases.with_columns(
        event_count=pl.when(pl.int_range(pl.len()) == 300).then(-1).otherwise("event_count")
    )
    with pytest.raises(PromiseError, match=re.escape("1 rows break its contract (event_count|min 1)")):
        releases.put(FactCase, broken)


def test_what_is_written_by_slices_has_a_contract_of_single_rows():
    for table in warehouse.promises.BY_ROW:
        rules = set(table._validation_rules(with_cast=False)) - {"primary_key"}  # noqa: SLF001 - dataframely tells nowhere else
        assert all("|" in rule for rule in rules), f"{table.table_name()}: a rule of its own"


def test_columns_are_published_only_when_they_are_declared(releases: Releases):
    more = weather().with_columns(mood=pl.lit("good"), noise=pl.lit(1))
    extra = {"mood": Column(pl.String(), "How one felt.", "mood")}
    file = releases.put(_Weather, more, extra)
    assert pl.read_parquet(releases.root / file.path).columns == [*weather().columns, "mood"]
    assert pq.read_schema(releases.root / file.path).field("mood").metadata == {
        b"description": b"How one felt.",
        b"unit": b"mood",
    }
    assert releases.put(_Weather, more).sha256 == releases.put(_Weather, weather()).sha256
    with pytest.raises(PromiseError, match="it lacks mood"):
        releases.put(_Weather, weather(), extra)


def test_smaller_types_are_widened_when_no_value_changes(releases: Releases):
    small = weather().with_columns(
        pl.col("readings").cast(pl.UInt8),
        pl.col("degrees").cast(pl.Float32),
        pl.col("looked_at").cast(pl.Datetime("ms", "UTC")),
        low=pl.lit(None),
        high=pl.lit(None),
    )
    wide = small.with_columns(low=pl.lit(None, dtype=pl.Float64), high=pl.lit(None, dtype=pl.Float64))
    with pytest.raises(PromiseError, match="degrees_in_interval"):
        releases.put(_Weather, wide.with_columns(high=pl.col("low").fill_null(0.0)))
    fine = small.with_columns(low=pl.lit(0), high=pl.lit(100, dtype=pl.UInt16))
    file = releases.put(_Weather, fine)
    assert dict(pl.read_parquet_schema(releases.root / file.path)) == _Weather.published_schema()


# Kills and second writers


def test_publishing_dies_at_any_step_and_the_old_release_stands_or_the_new_one(tmp_path: Path):
    roots = iter(tmp_path / str(number) for number in range(300))
    old, new = (10.0, "Oslo 10.0"), (20.0, "Oslo 20.0")

    def prepare() -> Releases:
        releases = Releases(next(roots))
        publish(releases, 10.0)
        return releases

    def judge(dead: Releases) -> None:
        releases = Releases(dead.root)
        head = releases.head()
        assert head is not None
        wanted = {1: old, 2: new}[head.number]
        assert shown(releases) in (old, wanted)
        assert releases.frame(head, "weather")["degrees"].min() == wanted[0]
        releases.repair(beside)
        assert shown(releases) == wanted
        assert (releases.root / "current/release.json").samefile(releases.manifests.path(head.number))
        assert {path.name for path in head.folder.iterdir()} >= {"views.sql", "dictionary.html"}
        assert publish(releases, 20.0).number == head.number + 1
        assert shown(releases) == new
        releases.sweep(2, LATE)
        _assert_nothing_is_left_over(releases)

    assert every_death(prepare, lambda releases: publish(releases, 20.0), judge) > 30


def _assert_nothing_is_left_over(releases: Releases) -> None:
    """No file but those of the releases there are."""
    kept = [releases.read(number) for number in releases.manifests.numbers()]
    data = {releases.root / one.path for release in kept for one in release.tables}
    assert {path for path in (releases.root / "data").rglob("*") if path.is_file()} == data
    assert set((releases.root / ".views").iterdir()) == {release.folder for release in kept}
    names = {path.name for path in releases.root.iterdir()}
    assert names == {"data", "releases", ".views", "current"}
    assert {path.name for path in (releases.root / "releases").iterdir()} == {
        f"{release.number:08d}.json" for release in kept
    }


def test_a_repair_leaves_a_release_that_is_shown_as_it_is(releases: Releases):
    releases.repair(beside)  # before the first release there is nothing to show
    publish(releases)
    before = {path: path.lstat().st_ino for path in releases.root.rglob("*")}
    releases.repair(beside)
    assert {path: path.lstat().st_ino for path in releases.root.rglob("*")} == before


def test_a_repair_makes_a_folder_whole_of_which_something_is_missing(releases: Releases):
    release = publish(releases)
    dictionary = (release.folder / "dictionary.html").read_text()
    assert "How people are." in dictionary  # a column that the workspace adds is not forgotten
    shutil.rmtree(release.folder / "place")
    releases.repair(beside)
    assert (release.folder / "dictionary.html").read_text() == dictionary
    assert shown(releases) == (10.0, "Oslo 10.0")
    (releases.root / "current").unlink()
    releases.repair(beside)
    assert shown(releases) == (10.0, "Oslo 10.0")


def test_a_release_whose_files_are_gone_does_not_keep_the_next_one_from_being_published(releases: Releases):
    release = publish(releases)
    shutil.rmtree(release.folder)
    (releases.root / release.tables[0].path).unlink()
    releases.repair(beside)
    assert publish(releases).number == 2
    assert shown(releases) == (10.0, "Oslo 10.0")


def test_of_two_publishers_from_one_parent_one_learns_that_it_was_second(releases: Releases):
    publish(releases, 10.0)

    def attempt(degrees: float) -> str:
        try:
            return f"{degrees} is {publish(Releases(releases.root), degrees, parent=1).number}"
        except StoreError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(attempt, (20.0, 30.0, 40.0, 50.0)))
    lost = [one for one in said if "00000002.json: was written by another run meanwhile" in one]
    won = {f"{degrees} is 2": degrees for degrees in (20.0, 30.0, 40.0, 50.0)}
    assert len(lost) == 3
    winner = next(won[one] for one in said if one in won)
    assert shown(releases) == (winner, f"Oslo {winner}")
    releases.sweep(2, LATE)
    _assert_nothing_is_left_over(releases)


def test_who_resolves_current_once_reads_one_release_whatever_is_published_meanwhile(releases: Releases):
    publish(releases, 0.0)
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(lambda: [publish(releases, float(number)) for number in range(1, 16)])
        read = []
        while not writer.done():
            read.append(shown(releases))
        writer.result()
    assert all(name == f"Oslo {degrees}" for degrees, name in read)
    assert [degrees for degrees, _ in read] == sorted(degrees for degrees, _ in read)
    assert shown(releases) == (15.0, "Oslo 15.0")


# Damage


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_a_cut_file_is_told_with_a_remedy_that_helps(releases: Releases):
    release = publish(releases, 10.0)
    path = releases.root / release.tables[0].path
    _cut(path)
    for use in (lambda: releases.frame(release, "weather"), lambda: publish(releases, 10.0)):
        with pytest.raises(StoreError) as error:
            use()
        assert str(error.value).startswith(f"{path}: is damaged: its content is not what its name promises.")
        assert "Delete it" in str(error.value)
    assert releases.manifests.head() == 1
    path.unlink()
    with pytest.raises(StoreError, match="is missing"):
        releases.frame(release, "weather")
    releases.repair(beside)
    publish(releases, 10.0)
    assert shown(releases) == (10.0, "Oslo 10.0")
    assert releases.frame(release, "weather").height == 3


def test_a_number_that_is_given_anew_shows_the_new_release_and_not_the_old_one(releases: Releases):
    publish(releases, 10.0)
    damaged = publish(releases, 20.0)
    releases.manifests.path(2).write_text("{")
    with pytest.raises(
        StoreError, match=r"00000002\.json: is damaged: .*Restore it from a backup, or delete it"
    ):
        publish(releases, 30.0)
    releases.manifests.path(2).unlink()
    again = publish(releases, 30.0)
    assert again.number == damaged.number
    assert shown(releases) == (30.0, "Oslo 30.0")


@pytest.mark.parametrize(
    "tables", [None, [], {"weather": {"name": "x"}}], ids=["none", "a list", "otherwise"]
)
def test_a_manifest_that_cannot_be_understood_is_told_with_its_file(releases: Releases, tables: Any):
    publish(releases)
    path = releases.manifests.path(1)
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"tables": tables}))
    with pytest.raises(StoreError, match=r"00000001\.json: is damaged: it cannot be understood"):
        releases.head()


def test_a_workspace_whose_name_looks_like_a_pattern_is_read_as_it_is_called(tmp_path: Path):
    releases = Releases(tmp_path / "shop [old] *")
    assert releases.frame(publish(releases), "weather").height == 3


# Sweeping


def test_a_sweep_keeps_the_newest_releases_and_all_they_refer_to(releases: Releases):
    for degrees in (1.0, 2.0, 3.0, 1.0, 4.0, 1.0):
        publish(releases, degrees)
    first = releases.root / releases.read(1).tables[0].path
    assert releases.sweep(3, LATE) > 0
    assert releases.manifests.numbers() == [4, 5, 6]
    _assert_nothing_is_left_over(releases)
    assert first.exists()  # the fourth and the sixth have the first one's content
    assert [seen(releases.view(number))[0] for number in (4, 5, 6)] == [1.0, 4.0, 1.0]
    assert releases.sweep(0, LATE) > 0
    assert releases.manifests.numbers() == [5, 6]  # two stay in any case: somebody may read the last but one


def test_a_sweep_takes_nothing_within_the_grace(releases: Releases):
    for degrees in (1.0, 2.0, 3.0, 4.0):
        publish(releases, degrees)
    before = set(releases.root.rglob("*"))
    old = publish(releases, 5.0)
    for path in releases.root.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    publish(releases, 6.0)
    # The fifth is ancient, but it was the newest until just now.
    releases.sweep(1, older_than=1_000_000_000)
    assert releases.manifests.numbers() == [5, 6]
    assert seen(old.folder) == (5.0, "Oslo 5.0")
    assert before - set(releases.root.rglob("*"))


def test_a_sweep_dies_at_any_step_and_the_newest_releases_are_whole(tmp_path: Path):
    roots = iter(tmp_path / str(number) for number in range(300))

    def prepare() -> Releases:
        releases = Releases(next(roots))
        for degrees in (1.0, 2.0, 3.0, 4.0):
            publish(releases, degrees)
        return releases

    def judge(releases: Releases) -> None:
        for which in releases.manifests.numbers():
            release = releases.read(which)
            assert all((releases.root / one.path).exists() for one in release.tables)
        assert [seen(releases.view(number))[0] for number in (3, 4)] == [3.0, 4.0]
        releases.sweep(2, LATE)
        _assert_nothing_is_left_over(releases)

    with patch.object(os, "fsync"):
        assert every_death(prepare, lambda releases: releases.sweep(2, LATE), judge) > 5


def test_what_put_returns_tells_the_file(releases: Releases):
    file = releases.put(_Place, places())
    path = releases.root / file.path
    assert file == TableFile("place", file.path, 2, path.stat().st_size, file.sha256, is_reused=False)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f"place-{blake3(path.read_bytes()).hexdigest()[:20]}.parquet"


def parts(changed: str = "", rows: Sequence[int] = (3, 2)) -> list[Part]:
    """A table in two parts; whoever makes rows of one that is there already fails."""
    made = [weather(float(20 * number), count) for number, count in enumerate(rows)]
    one, other = (
        frame.with_columns(pl.col("date").dt.offset_by(f"{number}mo")) for number, frame in enumerate(made)
    )
    return [Part("2026-03", f"a{changed}", lambda: one), Part("2026-04", "b", lambda: other)]


def nobody() -> pl.DataFrame:
    pytest.fail("these rows are there already")


def test_a_table_in_parts_is_one_table_for_whoever_reads(releases: Releases):
    files = tuple(releases.put_parts(_Weather, parts()))
    place = releases.put(_Place, places())
    release = releases.publish((*files, place), {"run": "r"}, beside)
    assert [Path(one.path).name.rpartition("-")[0] for one in files] == ["weather-2026-03", "weather-2026-04"]
    assert (list(release.by_table), release.rows("weather")) == (["weather", "place"], 5)
    assert releases.read(1).tables == release.tables
    whole = releases.frame(release, "weather")
    assert whole.height == 5
    folder = releases.root / "current/weather"
    told = [
        pl.read_parquet(folder),
        duckdb.sql(f"FROM '{folder}/*.parquet'").pl(),
        pl.from_pandas(pd.read_parquet(folder)),
    ]
    assert all(one.height == 5 and one["degrees"].sum() == whole["degrees"].sum() for one in told)
    noted = releases.manifests.read(1)["tables"]
    assert (noted["weather"]["rows"], noted["weather"]["is_reused"], len(noted["weather"]["parts"])) == (
        5,
        False,
        2,
    )
    assert noted["weather"]["bytes"] == sum(one.bytes for one in files)
    assert noted["place"]["path"] == place.path


def test_a_part_that_is_there_is_not_made_again(releases: Releases):
    first = releases.publish(tuple(releases.put_parts(_Weather, parts())), {}, beside)
    march, april = parts(changed="!", rows=(4, 2))
    second = releases.publish(
        tuple(releases.put_parts(_Weather, [march, Part(april.name, april.key, nobody)])), {}, beside
    )
    assert [one.is_reused for one in second.tables] == [False, True]
    assert second.tables[1].path == first.tables[1].path
    assert releases.frame(second, "weather").height == 6


@pytest.mark.parametrize(
    "harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other")], ids=["lost", "damaged"]
)
def test_a_part_whose_file_is_lost_or_damaged_is_made_again(
    releases: Releases, harm: Callable[[Path], object]
):
    first = releases.publish(tuple(releases.put_parts(_Weather, parts())), {}, beside)
    harmed = releases.root / first.tables[1].path
    harm(harmed)
    if harmed.exists():
        with pytest.raises(StoreError, match="is damaged"):
            releases.put_parts(_Weather, parts())
        harmed.unlink()
    second = releases.publish(tuple(releases.put_parts(_Weather, parts())), {}, beside)
    assert releases.frame(second, "weather").height == 5


def test_a_part_that_breaks_its_contract_is_told(releases: Releases):
    broken = [Part("2026-03", "a", lambda: weather().with_columns(degrees=pl.lit(99.0)))]
    with pytest.raises(PromiseError, match="degrees_in_interval"):
        releases.put_parts(_Weather, broken)
