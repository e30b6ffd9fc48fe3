"""A contract of 33 rules over a ticket feed, checked in several ways; each run is a process of its own.

    python tests/bench/contract_ways.py build FILE ROWS     makes the feed, 0.1 % dirty per rule (untimed)
    python tests/bench/contract_ways.py run WAY FILE        prints CPU seconds, peak memory and what each rule found

Reading the file and imports are not timed, except that the lazy way reads as it goes. Every way counts the rows
that break each row rule; the counts have to agree. Great Expectations on pandas leaves out one rule, the
reference of 20,000 accounts: as a value set it alone would cost it more than all others together.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tests.bench.memory import peak_mb

SEED = 20261122
DIRTY = 0.001
CHANNELS = ["email", "phone", "chat", "web", "social", "store"]
SOURCES = ["crm", "survey", "zendesk"]
STATES = ["new", "open", "pending", "solved", "closed"]
TOUCHPOINTS = [f"tp{number:02d}" for number in range(60)]
ACCOUNTS = [f"acc-{number:05d}" for number in range(20_000)]
START = datetime(2024, 1, 1, tzinfo=UTC)
NOT_NULL = [
    *("ticket_id", "source", "seq", "account_id", "touchpoint_id", "channel", "status", "opened_at"),
    "handle_seconds",
]
COLUMNS = [*NOT_NULL, "csat", "resolved_at"]
PATTERN = r"^T-\d{10}$"


def build(file: str, rows: int) -> None:
    """Write the feed."""
    draw = np.random.default_rng(SEED)
    number = np.arange(rows)
    opened = pl.Series(number * 60_000_000).cast(pl.Duration("us")) + START
    frame = pl.DataFrame(
        {
            "ticket_id": "T-" + pl.Series(number).cast(pl.String).str.zfill(10),
            "source": pl.Series(SOURCES).gather(draw.integers(0, 3, rows)),
            "seq": number,
            "account_id": pl.Series(ACCOUNTS).gather(draw.integers(0, len(ACCOUNTS), rows)),
            "touchpoint_id": pl.Series(TOUCHPOINTS).gather(draw.integers(0, 60, rows)),
            "channel": pl.Series(CHANNELS).gather(draw.integers(0, 6, rows)),
            "status": pl.Series(STATES).gather(draw.integers(0, 5, rows)),
            "opened_at": opened,
            "handle_seconds": np.round(draw.gamma(2, 300, rows), 1),
            "csat": pl.Series(draw.integers(1, 6, rows)).cast(pl.Int8),
        }
    )
    row = pl.int_range(pl.len())

    def some(index: int) -> pl.Expr:
        return row.hash(index) % int(1 / DIRTY) == 0

    dirty = frame.with_columns(
        ticket_id=pl.when(some(1))
        .then(pl.lit("T-12"))
        .when(some(2))
        .then(pl.col("ticket_id").shift(1))
        .otherwise("ticket_id"),
        source=pl.when(some(3)).then(pl.lit("fax")).otherwise("source"),
        seq=pl.when(some(4)).then(pl.col("seq") - 7).otherwise("seq"),
        account_id=pl.when(some(5)).then(pl.lit("acc-x")).otherwise("account_id"),
        touchpoint_id=pl.when(some(6))
        .then(None)
        .when(some(7))
        .then(pl.lit("tp99"))
        .otherwise("touchpoint_id"),
        channel=pl.when(some(8)).then(pl.lit("pigeon")).otherwise("channel"),
        status=pl.when(some(9)).then(None).otherwise("status"),
        handle_seconds=pl.when(some(10)).then(-1.0).when(some(11)).then(None).otherwise("handle_seconds"),
        csat=pl.when(some(12)).then(9).when(row.hash(40) % 10 < 3).then(None).otherwise("csat").cast(pl.Int8),
    ).with_columns(
        resolved_at=pl.when(pl.col("status").is_in(["solved", "closed"]) & ~some(13)).then(
            pl.when(some(14))
            .then(pl.col("opened_at") - timedelta(hours=1))
            .otherwise(pl.col("opened_at") + timedelta(hours=5))
        )
    )
    dirty.select(COLUMNS).write_parquet(file, statistics=False)


def suite(*, polars: bool) -> list:
    """The contract as expectations."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    rules = [gxe.ExpectColumnValuesToNotBeNull(column=name) for name in NOT_NULL]
    rules += [
        gxe.ExpectColumnValuesToBeUnique(column="ticket_id"),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "seq"]),
        gxe.ExpectColumnValuesToMatchRegex(column="ticket_id", regex=PATTERN),
        gxe.ExpectColumnValueLengthsToEqual(column="ticket_id", value=12),
        gxe.ExpectColumnValuesToBeInSet(column="source", value_set=SOURCES),
        gxe.ExpectColumnValuesToBeInSet(column="channel", value_set=CHANNELS),
        gxe.ExpectColumnValuesToBeInSet(column="status", value_set=STATES),
        gxe.ExpectColumnValuesToBeInSet(column="touchpoint_id", value_set=TOUCHPOINTS),
        gxe.ExpectColumnValuesToBeBetween(column="csat", min_value=1, max_value=5),
        gxe.ExpectColumnValuesToBeBetween(column="handle_seconds", min_value=0, max_value=100_000),
        gxe.ExpectColumnValuesToBeBetween(column="seq", min_value=0),
        gxe.ExpectColumnValuesToBeBetween(column="opened_at", min_value=START),
        gxe.ExpectColumnValuesToBeIncreasing(column="seq"),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="resolved_at",
            column_B="opened_at",
            or_equal=True,
            ignore_row_if="either_value_is_missing",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="resolved_at", row_condition=Column("status").is_in(["solved", "closed"])
        ),
        gxe.ExpectTableRowCountToBeBetween(min_value=1, max_value=10**9),
        gxe.ExpectTableColumnsToMatchSet(column_set=COLUMNS, exact_match=True),
        gxe.ExpectColumnMaxToBeBetween(column="opened_at", min_value=START),
        gxe.ExpectColumnMinToBeBetween(column="seq", min_value=-7),
        gxe.ExpectColumnMeanToBeBetween(column="handle_seconds", min_value=100, max_value=1000),
        gxe.ExpectColumnStdevToBeBetween(column="handle_seconds", min_value=1, max_value=1000),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="channel", min_value=6, max_value=7),
        gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(column="csat", min_value=0.5),
    ]
    if polars:
        from contracts.gx_polars import ExpectColumnValuesToBeInReference

        rules.append(ExpectColumnValuesToBeInReference(column="account_id", reference="accounts"))
    return rules


def _validate(definition, rules: list, frame) -> dict[str, int]:
    import great_expectations as gx

    made = gx.ExpectationSuite("contract", expectations=rules)
    wanted = {"result_format": "SUMMARY", "partial_unexpected_count": 5}
    result = definition.get_batch({"dataframe": frame}).validate(made, result_format=wanted)
    assert len(result.results) == len(rules)
    broken = [one for one in result.results if not one.success and "unexpected_count" not in one.result]
    assert not broken, broken
    counts = {}
    for one in result.results:
        if "unexpected_count" in one.result:
            given = one.expectation_config.kwargs
            names = given.get("column") or given.get("column_list") or [given["column_A"], given["column_B"]]
            kind = one.expectation_config.type.removeprefix("expect_")
            counts[f"{names} {kind}{' if' if given.get('row_condition') else ''}"] = one.result[
                "unexpected_count"
            ]
    return counts


def _sources():
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context.data_sources


def _on_polars(file: str, *, lazy: bool) -> tuple:
    from contracts.gx_polars import Subject

    rules = suite(polars=True)
    assert len(rules) == 33
    definition = _sources().add_polars("p").add_frame("f").add_batch_definition_whole_dataframe("all")
    frame = pl.scan_parquet(file) if lazy else pl.read_parquet(file)
    accounts = pl.Series(ACCOUNTS)
    return lambda: _validate(definition, rules, Subject(frame, {"accounts": accounts}))


def gx_polars(file: str):
    """This engine, the frame in memory."""
    return _on_polars(file, lazy=False)


def gx_polars_lazy(file: str):
    """This engine, the file scanned and streamed."""
    return _on_polars(file, lazy=True)


def gx_pandas(file: str):
    """Great Expectations' pandas engine over numpy columns."""
    rules = suite(polars=False)
    asset = _sources().add_pandas("p").add_dataframe_asset("f")
    definition = asset.add_batch_definition_whole_dataframe("all")
    frame = pl.read_parquet(file).to_pandas()
    return lambda: _validate(definition, rules, frame)


def row_rules() -> dict[str, pl.Expr]:
    """The 25 row rules as a polars user writes them: true for rows that keep the rule, null passes."""
    c = pl.col
    rules = {f"{name} present": c(name).is_not_null() for name in NOT_NULL}
    return rules | {
        "unique": c("ticket_id").is_unique(),
        "compound": pl.struct("source", "seq").is_unique(),
        "pattern": c("ticket_id").str.contains(PATTERN),
        "length": c("ticket_id").str.len_chars() == 12,
        "source": c("source").is_in(SOURCES),
        "channel": c("channel").is_in(CHANNELS),
        "status": c("status").is_in(STATES),
        "touchpoint": c("touchpoint_id").is_in(TOUCHPOINTS),
        "account": c("account_id").is_in(ACCOUNTS),
        "csat": c("csat").is_between(1, 5),
        "handle": c("handle_seconds").is_between(0, 100_000),
        "seq": c("seq") >= 0,
        "opened": c("opened_at") >= START,
        "increasing": (c("seq") >= c("seq").shift(1)).fill_null(value=True),
        "order": c("resolved_at") >= c("opened_at"),
        "resolved": ~(c("status").is_in(["solved", "closed"]) & c("resolved_at").is_null()),
    }


def table_rules() -> dict[str, pl.Expr]:
    """The other rules, one value each; the columns themselves are compared apart."""
    c = pl.col
    return {
        "rows": pl.len() >= 1,
        "newest": c("opened_at").max() >= START,
        "least": c("seq").min() >= -7,
        "mean": c("handle_seconds").mean().is_between(100, 1000),
        "spread": c("handle_seconds").std().is_between(1, 1000),
        "channels": c("channel").n_unique().is_between(6, 7),
        "answered": c("csat").count() / pl.len() >= 0.5,
    }


def polars(file: str):
    """Hand-written polars, one select."""
    frame = pl.read_parquet(file)

    def check() -> dict[str, int]:
        assert frame.columns == COLUMNS
        broken = [(~rule).sum().alias(name) for name, rule in row_rules().items()]
        found = frame.lazy().select(*broken, *(rule.alias(name) for name, rule in table_rules().items()))
        values = found.collect().row(0, named=True)
        assert all(values[name] for name in table_rules())
        return {name: values[name] for name in row_rules()}

    return check


def dataframely(file: str):
    """dataframely: a schema with the row rules, `filter`; table rules by hand."""
    import dataframely as dy

    frame = pl.read_parquet(file)
    rules = {name: dy.rule()(lambda _, rule=rule: rule) for name, rule in row_rules().items()}
    for name, rule in rules.items():
        rule.__name__ = name
    columns = {
        "ticket_id": dy.String(nullable=True),
        "source": dy.String(nullable=True),
        "seq": dy.Int64(nullable=True),
        "account_id": dy.String(nullable=True),
        "touchpoint_id": dy.String(nullable=True),
        "channel": dy.String(nullable=True),
        "status": dy.String(nullable=True),
        "opened_at": dy.Datetime(nullable=True, time_zone="UTC"),
        "handle_seconds": dy.Float64(nullable=True),
        "csat": dy.Int8(nullable=True),
        "resolved_at": dy.Datetime(nullable=True, time_zone="UTC"),
    }
    schema = type("Tickets", (dy.Schema,), columns | {_word(name): rule for name, rule in rules.items()})

    def check() -> dict[str, int]:
        counts = schema.filter(frame).failure.counts()
        values = frame.lazy().select(rule.alias(name) for name, rule in table_rules().items()).collect()
        assert all(values.row(0))
        return {name: counts.get(_word(name), 0) for name in row_rules()}

    return check


def _word(name: str) -> str:
    return f"keeps_{name.replace(' ', '_')}"  # dataframely mistakes a rule named as a column


def pandera(file: str):
    """pandera on polars, lazy validation of a schema with the row rules; table rules as checks too."""
    import pandera.polars as pa

    frame = pl.read_parquet(file)

    def row_check(name: str, rule: pl.Expr) -> pa.Check:
        return pa.Check(lambda data: data.lazyframe.select(rule.fill_null(value=True)), name=name)

    def table_check(name: str, rule: pl.Expr) -> pa.Check:
        return pa.Check(lambda data: data.lazyframe.select(rule), name=name)

    schema = pa.DataFrameSchema(
        {name: pa.Column(frame.schema[name], nullable=True) for name in COLUMNS},
        checks=[
            *(row_check(name, rule) for name, rule in row_rules().items()),
            *(table_check(name, rule) for name, rule in table_rules().items()),
        ],
        strict=True,
    )

    def check() -> dict[str, int]:
        try:
            schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as found:
            failed = {one.check.name: one.check_output for one in found.schema_errors}
        counts = {}
        for name in row_rules():
            output = failed.get(name)
            counts[name] = 0 if output is None else int((~output.to_series()).sum())
        return counts

    return check


WAYS = {way.__name__: way for way in (gx_polars, gx_polars_lazy, gx_pandas, polars, dataframely, pandera)}


def main() -> None:
    """Build a feed, or check one in one way."""
    command, *rest = sys.argv[1:]
    if command == "build":
        build(rest[0], int(float(rest[1])))
        return
    check = WAYS[rest[0]](rest[1])
    cpu, wall = time.process_time(), time.perf_counter()
    counts = check()
    found = {"cpu_s": round(time.process_time() - cpu, 2), "wall_s": round(time.perf_counter() - wall, 2)}
    found["peak_mb"] = peak_mb()
    sys.stdout.write(json.dumps(found | {"counts": counts}) + "\n")


if __name__ == "__main__":
    main()
