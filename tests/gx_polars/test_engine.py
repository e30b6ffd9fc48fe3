"""What the engine promises beyond equal results: one query, isolation, exact keys, masks, threads."""

import ast
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import great_expectations as gx
import great_expectations.expectations as gxe
import polars as pl
import pytest
from great_expectations.expectations.row_conditions import Column
from hypothesis import given, settings
from hypothesis import strategies as st

import contracts.gx_polars as package
from contracts.gx_polars import ExpectRowsToSatisfy, Subject, internals, waves
from tests.conftest import ROOT
from tests.gx_polars.conftest import Validate, batch_definition, error_of

FRAME = pl.DataFrame(
    {"id": [1, 2, 2, None], "word": ["ab", "b", None, "ca"], "real": [1.0, float("nan"), 2.0, None]}
)
FORMS = pytest.mark.parametrize("form", [pl.DataFrame.lazy, lambda frame: frame], ids=["lazy", "eager"])
MODULES = sorted(Path(package.__file__).parent.glob("*.py"))


@FORMS
def test_rule_that_cannot_run_keeps_its_own_message_and_harms_no_other(form, validate: Validate):
    results = validate(
        form(FRAME),
        gxe.ExpectColumnValuesToMatchRegex(column="word", regex="(?=a)"),
        gxe.ExpectColumnValuesToNotBeNull(column="nope"),
        gxe.ExpectColumnValuesToBeBetween(column="word", min_value=1),
        ExpectRowsToSatisfy(expression="id > nowhere"),
        gxe.ExpectColumnMeanToBeBetween(column="gone", min_value=1),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectColumnMaxToBeBetween(column="id", max_value=2),
    )
    said = [error_of(result) for result in results]
    assert "look-around" in said[0]
    assert 'column "nope"' in said[1]
    assert "cannot compare string" in said[2]
    assert '"nowhere"' in said[3]
    assert 'column "gone"' in said[4]
    assert said[5:] == [None, None]
    assert [result.success for result in results[5:]] == [False, True]


def test_wave_evaluates_every_mask_in_one_query(validate: Validate, monkeypatch: pytest.MonkeyPatch):
    asked = []
    original = Subject.collect_all
    monkeypatch.setattr(
        Subject, "collect_all", lambda self, queries: asked.append(len(queries)) or original(self, queries)
    )
    validate(
        FRAME,
        gxe.ExpectColumnValuesToNotBeNull(column="id"),
        gxe.ExpectColumnValuesToBeBetween(column="id", min_value=1),
        gxe.ExpectColumnValuesToMatchRegex(column="word", regex="a"),
        gxe.ExpectColumnMaxToBeBetween(column="id", max_value=2),
        gxe.ExpectColumnMinToBeBetween(column="real", max_value=2),
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
    )
    assert asked == [2], "one query of masks and one of aggregates, run together"


@FORMS
def test_masks_are_those_the_verdict_was_counted_from(form, validate: Validate):
    subject = Subject(form(FRAME))
    rules = [
        gxe.ExpectColumnValuesToBeUnique(column="id"),
        gxe.ExpectColumnValuesToBeBetween(
            column="id", min_value=2, row_condition=Column("word").is_not_null()
        ),
        ExpectRowsToSatisfy(expression="id < 2"),
    ]
    results = validate(subject, *rules, result_format="SUMMARY")
    masks = [subject.unexpected(rule) for rule in rules]
    assert [mask.to_list() for mask in masks] == [
        [False, True, True, False],
        [True, False, False, False],
        [False, True, True, True],
    ]
    assert [int(mask.sum()) for mask in masks] == [result.result["unexpected_count"] for result in results]


def test_mask_is_told_apart_by_arguments_and_refused_where_there_is_none(validate: Validate):
    subject = Subject(FRAME)
    validate(subject, gxe.ExpectColumnValuesToBeBetween(column="id", min_value=2))
    with pytest.raises(LookupError, match="was not evaluated"):
        subject.unexpected(gxe.ExpectColumnValuesToBeBetween(column="id", min_value=1))
    with pytest.raises(TypeError, match="no single rows"):
        subject.unexpected(gxe.ExpectColumnMaxToBeBetween(column="id", max_value=2))


@pytest.mark.parametrize(
    ("values", "share", "nearest"),
    [
        ([1, 2], 0.5, 1),
        ([1, 2, 3, 4], 0.5, 3),
        ([1, 2, 3], 0.25, 1),
        ([1, 2, 3], 0.75, 3),
        ([5, None], 0.9, 5),
    ],
)
def test_quantile_is_the_nearest_value_and_halves_go_to_even_ranks(
    values, share, nearest, validate: Validate
):
    """numpy.quantile, method `nearest`: ranks 0.5 -> 0, 1.5 -> 2, 0.5 -> 0, 1.5 -> 2."""
    (result,) = validate(
        pl.DataFrame({"v": values}),
        gxe.ExpectColumnQuantileValuesToBeBetween(
            column="v", quantile_ranges={"quantiles": [share], "value_ranges": [[0, 9]]}
        ),
    )
    assert result.result["observed_value"]["values"] == [nearest]


def test_samples_stop_where_they_are_told_to(validate: Validate):
    frame = pl.DataFrame({"n": range(300)})
    rule = gxe.ExpectColumnValuesToBeBetween(column="n", min_value=1000)
    (few,) = validate(
        frame, rule, result_format="SUMMARY", partial_unexpected_count=3, include_unexpected_rows=True
    )
    assert few.result["partial_unexpected_index_list"] == [0, 1, 2]
    assert few.result["unexpected_rows"] == [{"n": 0}, {"n": 1}, {"n": 2}]
    (all_of_them,) = validate(frame, rule)
    assert len(all_of_them.result["unexpected_list"]) == 200
    assert all_of_them.result["unexpected_index_list"] == list(range(300))


def test_nan_is_missing(validate: Validate):
    present, between = validate(
        FRAME,
        gxe.ExpectColumnValuesToNotBeNull(column="real"),
        gxe.ExpectColumnValuesToBeBetween(column="real", min_value=0),
    )
    assert present.result["unexpected_index_list"] == [1, 3]
    assert between.success
    assert between.result["missing_count"] == 2


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4) | st.none(), st.sampled_from("ab"), st.booleans())),
    st.sampled_from([["a"], ["a", "b"], ["b", "a"]]),
    st.booleans(),
)
def test_duplicates_are_those_that_comparing_all_rows_finds(rows, keys, some):
    frame = pl.DataFrame(rows, {"a": pl.Int64, "b": pl.String, "in": pl.Boolean}, orient="row")
    where = pl.col("in") if some else None
    inside = frame["in"].to_list() if some else [True] * frame.height
    held = [row for row, counts in zip(frame.select(keys).rows(), inside, strict=True) if counts]
    expected = [
        counts and held.count(row) > 1 and (len(keys) > 1 or row != (None,))
        for row, counts in zip(frame.select(keys).rows(), inside, strict=True)
    ]
    for data in (frame, frame.lazy()):
        assert waves.duplicated(Subject(data), keys, where).to_list() == expected


def test_colliding_hashes_are_no_duplicates(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pl.Expr, "hash", lambda self, _: (self % 2).cast(pl.UInt64))
    frame = pl.DataFrame({"a": [1, 2, 3, 4, 3]})
    assert waves.duplicated(Subject(frame), ["a"], None).to_list() == [False, False, True, False, True]


def test_validations_in_threads_do_not_mix():
    def failed(size: int) -> list[int]:
        frame = pl.DataFrame({"n": range(size)})
        suite = gx.ExpectationSuite(
            "suite",
            expectations=[
                gxe.ExpectColumnValuesToBeBetween(column="n", max_value=4),
                gxe.ExpectTableRowCountToEqual(value=1),
            ],
        )
        results = batch_definition().get_batch({"dataframe": frame}).validate(suite).results
        return [
            result.result.get("unexpected_count", result.result.get("observed_value")) for result in results
        ]

    sizes = [5 + n for n in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = [sorted(one) for one in pool.map(failed, sizes)]
    assert found == [sorted([size - 5, size]) for size in sizes]


def test_one_definition_validates_several_frames_at_once():
    definition = batch_definition()
    expectation = gxe.ExpectTableRowCountToEqual(value=1)

    def height(size: int) -> int:
        batch = definition.get_batch({"dataframe": pl.DataFrame({"n": range(size)})})
        return batch.validate(expectation).result["observed_value"]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(height, range(24))) == list(range(24))


def test_parquet_files_are_validated_without_loading_them(tmp_path: Path):
    FRAME.write_parquet(tmp_path / "part.parquet")
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_polars("polars").add_parquet("files", path=f"{tmp_path}/*.parquet")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch()
    assert isinstance(batch.data.subject.frame, pl.LazyFrame)
    result = batch.validate(gxe.ExpectColumnValuesToBeUnique(column="id"))
    assert result.result["partial_unexpected_list"] == [2, 2]
    assert batch.columns() == ["id", "word", "real"]
    assert batch.head(2).data["id"].tolist() == [1, 2]


def test_file_context_keeps_datasource_suite_and_checkpoint(tmp_path: Path):
    FRAME.write_parquet(tmp_path / "part.parquet")
    made = gx.get_context(mode="file", project_root_dir=tmp_path)
    asset = made.data_sources.add_polars("polars").add_parquet("files", path=f"{tmp_path}/*.parquet")
    definition = asset.add_batch_definition_whole_dataframe("all")
    suite = made.suites.add(
        gx.ExpectationSuite("suite", expectations=[ExpectRowsToSatisfy(expression="id >= 1 OR id IS NULL")])
    )
    validation = made.validation_definitions.add(
        gx.ValidationDefinition(name="files", data=definition, suite=suite)
    )
    made.checkpoints.add(gx.Checkpoint(name="check", validation_definitions=[validation]))
    reopened = gx.get_context(mode="file", project_root_dir=tmp_path)
    assert reopened.checkpoints.get("check").run().success


def test_example_of_the_readme_runs():
    text = (Path(package.__file__).parent / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(example[1], names)  # noqa: S102 - our own text
    assert not names["result"].success
    assert names["tickets"].filter(names["subject"].unexpected(names["order"])).rows() == [(2, 3, 1)]


@pytest.mark.parametrize("given_data", [[1, 2], None, {"a": [1]}])
def test_what_is_no_frame_is_refused(given_data):
    with pytest.raises(TypeError, match="Pass a polars DataFrame"):
        batch_definition().get_batch({"dataframe": given_data})


@pytest.mark.parametrize("release", ["1.23.9", "1.25.0", "2.0.0"])
def test_untried_release_is_refused(release: str):
    with pytest.raises(ImportError, match=r"from 1\.24 and below 1\.25"):
        internals.check_release(release)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_package_stands_alone_and_keeps_internals_in_one_file(path: Path):
    imported = [
        (getattr(node, "level", 0), name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
        )
    ]
    outside = {name.split(".")[0] for level, name in imported if level == 0}
    allowed = {"polars", "great_expectations"} if path.stem == "internals" else {"polars"}
    assert outside - sys.stdlib_module_names <= allowed
    assert all(level <= 1 for level, _ in imported)


def test_import_leaves_warnings_alone_and_opens_no_socket():
    code = (
        "import sys, socket, warnings, logging\n"
        "shown = warnings.showwarning\n"
        "socket.socket.connect = lambda *_: sys.exit('connects')\n"
        "import contracts.gx_polars\n"
        "assert warnings.showwarning is shown, 'warnings are captured'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_spark_may_be_installed_and_imported_before_or_after():
    first, last = (
        "import sys, types; sys.modules['pyspark'] = own = types.ModuleType('pyspark')\n",
        (
            "import great_expectations.compatibility.pyspark as spark\n"
            "assert not spark.pyspark, 'it was imported'\n"
            "assert sys.modules['pyspark'] is own, 'it was taken away'\n"
        ),
    )
    code = f"{first}import contracts.gx_polars\n{last}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
