# ruff: noqa: S608 - the SQL is ours, and so is every name that is put into it
"""Every metric of the catalogue over many events, ours and DuckDB's: each way in a process of its own.

    python -m tests.bench.catalogue make FOLDER EVENTS
    python -m tests.bench.catalogue ours|duckdb FOLDER METRIC

The events are as the store has them, matched: codes for texts, a slot (here a day) and a touchpoint each.
"""

import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from contracts.accountability import Metric
from contracts.events import Codebook
from tests.bench.memory import peak_mb
from transforms.estimate import estimate
from transforms.followed import followed_events, measure_followed, paired
from transforms.measure import case_values, measure_cases, measure_events
from transforms.quantiles import (
    ascending,
    estimate_quantiles,
    estimate_waiting,
    is_censored,
    ordered_values,
    waiting_curves,
)

KINDS = ("asked", "nps", "csat", "ces", "effort", "ordered", "complained", "called")
_SHARES = (0.2, 0.15, 0.15, 0.1, 0.05, 0.2, 0.02, 0.13)
_SCALES = {"nps": (0, 11), "csat": (1, 6), "ces": (1, 8), "effort": (1, 6)}
CODEBOOK = Codebook({"kind": KINDS})
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 364
NOW = START + timedelta(days=DAYS)
TOUCHPOINTS = 50


def _metric(name: str, **more: object) -> Metric:
    return Metric.model_validate({"id": name, "name": name, **more})


METRICS = {
    one.id: one
    for one in (
        _metric("nps", estimator="nps", where={"kind": "nps"}),
        _metric("csat", estimator="csat", where={"kind": "csat"}),
        _metric("ces", estimator="ces", where={"kind": "ces"}),
        _metric("ces_1", estimator="ces_1", where={"kind": "effort"}),
        _metric("share", estimator="share", where={"kind": "ordered"}, good={"amount": ">= 50"}),
        _metric("mean", estimator="mean", where={"kind": "ordered"}, value="amount", step=0.01),
        _metric("sum", estimator="sum", where={"kind": "ordered"}, value="amount", step=0.01),
        _metric("count", estimator="count", where={"kind": "called"}),
        _metric("rate", estimator="rate", where={"kind": "complained"}, exposure={"kind": "ordered"}),
        _metric(
            "followed",
            estimator="followed",
            where={"kind": "asked"},
            followed_by={"kind": "csat"},
            within_days=14,
        ),
        _metric("repeat", estimator="repeat", where={"kind": "called"}, within_days=7),
        _metric("fcr", estimator="fcr", of="cases", at="opened"),
        _metric(
            "p90",
            estimator="quantile",
            quantile=0.9,
            of="cases",
            value="resolution_hours",
            open_cases="left_out",
        ),
        _metric("p90_open", estimator="quantile", quantile=0.9, of="cases", value="resolution_hours"),
    )
}

_SCORED = "count(*) FILTER ({valid}) AS n, count(*) FILTER (NOT ({valid})) AS excluded"
_CELL = "GROUP BY slot, touchpoint"


def _where(kind: str) -> str:
    return f"FROM events WHERE kind = {KINDS.index(kind) + 1} {_CELL}"


def _share_of(good: str, valid: str, kind: str) -> str:
    counts = _SCORED.format(valid=valid)
    return f"SELECT slot, touchpoint, {counts}, count(*) FILTER ({valid} AND {good}) AS good, good / n AS value {_where(kind)}"


def _total(value: str, kind: str, more: str = "true") -> str:
    return (
        f"SELECT slot, touchpoint, count(*) FILTER ({more}) AS n, "
        f"sum(CAST(round(amount * 100) AS BIGINT)) AS total, {value} AS value {_where(kind)}"
    )


_ALIKE = "customer > 0 AND occurred_at + INTERVAL {days} DAY <= TIMESTAMPTZ '2026-12-31 00:00:00+00'"
SQL = {
    "nps": "SELECT slot, touchpoint, count(*) AS n, count(*) FILTER (score >= 9) AS promoters, "
    "count(*) FILTER (score <= 6) AS detractors, 100 * (promoters - detractors) / n AS value "
    + _where("nps"),
    "csat": _share_of("score >= 4", "score BETWEEN 1 AND 5", "csat"),
    "ces": _share_of("score >= 5", "score BETWEEN 1 AND 7", "ces"),
    "ces_1": "SELECT slot, touchpoint, count(*) FILTER (score BETWEEN 1 AND 5) AS n, "
    "sum(CAST(score AS BIGINT)) FILTER (score BETWEEN 1 AND 5) AS total, total / n AS value "
    + _where("effort"),
    "share": _share_of("amount >= 50", "true", "ordered"),
    "mean": _total("total / 100 / n", "ordered"),
    "sum": _total("total / 100", "ordered"),
    "count": f"SELECT slot, touchpoint, count(*) AS n, count(*) AS value {_where('called')}",
    "rate": "SELECT slot, touchpoint, count(*) FILTER (kind = 6) AS n, count(*) FILTER (kind = 7) AS good, "
    "CASE WHEN n > 0 THEN 1000 * good / n END AS value FROM events WHERE kind IN (6, 7) GROUP BY slot, touchpoint",
    "followed": f"""
        WITH asked AS (SELECT * FROM events WHERE kind = 1),
        found AS (
            SELECT asked.slot, asked.touchpoint, {_ALIKE.format(days=14).replace("customer", "asked.customer").replace("occurred_at", "asked.occurred_at")} AS valid,
                coalesce(answer.occurred_at <= asked.occurred_at + INTERVAL 14 DAY, false) AS hit
            FROM asked ASOF LEFT JOIN (SELECT customer, occurred_at FROM events WHERE kind = 3) AS answer
                ON asked.customer = answer.customer AND asked.occurred_at < answer.occurred_at
        )
        SELECT slot, touchpoint, count(*) FILTER (valid) AS n, count(*) FILTER (valid AND hit) AS good,
            CASE WHEN n > 0 THEN good / n END AS value FROM found {_CELL}""",
    "repeat": f"""
        WITH called AS (SELECT * FROM events WHERE kind = 8),
        found AS (
            SELECT called.slot, called.touchpoint, {_ALIKE.format(days=7).replace("customer", "called.customer").replace("occurred_at", "called.occurred_at")} AS valid,
                coalesce(again.occurred_at <= called.occurred_at + INTERVAL 7 DAY, false) AS hit
            FROM called ASOF LEFT JOIN (SELECT customer, occurred_at FROM called) AS again
                ON called.customer = again.customer AND called.occurred_at < again.occurred_at
        )
        SELECT slot, touchpoint, count(*) FILTER (valid) AS n, count(*) FILTER (valid AND hit) AS good,
            CASE WHEN n > 0 THEN good / n END AS value FROM found {_CELL}""",
    "fcr": f"""
        WITH looked AS (
            SELECT *, lead(opened_at) OVER (PARTITION BY customer ORDER BY opened_at) AS next_at FROM cases
        ),
        found AS (
            SELECT slot_opened AS slot, touchpoint, {_ALIKE.format(days=7).replace("occurred_at", "opened_at")} AS valid,
                reopened_count = 0 AND handoff_count = 0
                    AND NOT coalesce(next_at - opened_at <= INTERVAL 7 DAY, false) AS clean
            FROM looked
        )
        SELECT slot, touchpoint, count(*) FILTER (valid) AS n, count(*) FILTER (valid AND clean) AS good,
            CASE WHEN n > 0 THEN good / n END AS value FROM found {_CELL}""",
    "p90": "SELECT slot_opened AS slot, touchpoint, count(resolution_hours) AS n, "
    "quantile_cont(resolution_hours, 0.9) AS value FROM cases GROUP BY ALL",
}
"""The same in SQL: sums and the value, without the interval. A quantile with open cases has no function there."""


def make(folder: Path, count: int) -> None:
    """Write the events and, for every tenth of them, a case."""
    chance = np.random.default_rng(11)
    kind = chance.choice(np.arange(1, len(KINDS) + 1, dtype=np.uint16), count, p=_SHARES)
    second = chance.integers(0, DAYS * 86_400, count)
    score = np.full(count, np.nan)
    for name, (low, high) in _SCALES.items():
        asked = kind == KINDS.index(name) + 1
        score[asked] = chance.integers(low, high + (name != "nps"), asked.sum())
    where = {"touchpoint": chance.integers(1, TOUCHPOINTS + 1, count, dtype=np.uint16)}
    who = {"customer": chance.integers(0, max(count // 50, 2), count, dtype=np.uint32)}
    at = pl.Series(second * 1_000_000).cast(pl.Duration("us"))
    events = pl.DataFrame(
        {"slot": (second // 86_400).astype(np.uint32), **where, **who, "kind": kind, "score": score}
    ).with_columns(
        occurred_at=pl.lit(START).dt.cast_time_unit("us") + at,
        score=pl.col("score").fill_nan(None),
        amount=pl.Series(chance.integers(100, 20_000, count) / 100),
    )
    events.sort("occurred_at").write_parquet(folder / "events.parquet")
    opened = events.head(count // 10).rename({"slot": "slot_opened", "occurred_at": "opened_at"})
    hours = pl.Series(np.round(chance.exponential(60, opened.height), 3))
    ended = hours < (pl.Series([NOW] * opened.height) - opened["opened_at"]).dt.total_seconds() / 3600
    cases = opened.select("slot_opened", "touchpoint", "customer", "opened_at").with_columns(
        slot_resolved="slot_opened",
        slot_closed="slot_opened",
        resolution_hours=pl.when(ended).then(hours),
        closed_at=pl.when(ended).then(pl.col("opened_at") + pl.duration(seconds=hours * 3600)),
        reopened_count=pl.Series((chance.random(opened.height) < 0.05).astype(np.int64)),
        handoff_count=pl.Series(chance.integers(0, 3, opened.height)),
    )
    cases.write_parquet(folder / "cases.parquet")


def ours(folder: Path, name: str) -> pl.DataFrame:
    """The metric's cells: sums, value, both intervals."""
    metric = METRICS[name]
    if metric.estimator == "quantile":
        values = ascending(case_values(pl.scan_parquet(folder / "cases.parquet"), [metric], CODEBOOK, NOW))
        keys = ["slot", "touchpoint"]
        if is_censored(metric):
            return estimate_waiting(waiting_curves(values, keys), [metric])[0].collect()
        return estimate_quantiles(ordered_values(values, keys), [metric])[0].collect()
    if metric.of == "cases":
        sums = measure_cases(pl.scan_parquet(folder / "cases.parquet"), [metric], CODEBOOK, NOW)
    elif paired([metric]):
        rows = followed_events(pl.scan_parquet(folder / "events.parquet"), [metric], CODEBOOK)
        sums = measure_followed(rows.cache(), [metric], NOW)
    else:
        sums = measure_events(pl.scan_parquet(folder / "events.parquet"), [metric], CODEBOOK)
    keys = ["slot", "touchpoint", "metric"]
    added = sums.group_by(keys).agg(pl.exclude("dimension", "segment", *keys).sum())
    return estimate(added, [metric]).collect()


def theirs(folder: Path, name: str) -> pl.DataFrame:
    """The metric's cells: sums and value."""
    with duckdb.connect(config={"threads": 2}) as tables:
        tables.execute("SET TimeZone = 'UTC'")
        for table in ("events", "cases"):
            tables.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{folder / table}.parquet')")
        return tables.sql(SQL[name]).pl()


def main() -> None:
    """One way of one metric; prints what it cost, and writes its cells."""
    way, folder, rest = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if way == "make":
        make(folder, int(float(rest)))
        return
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    cells = (ours if way == "ours" else theirs)(folder, rest)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cells.write_parquet(folder / f"{rest}.{way}.parquet")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(json.dumps({"cpu_s": cpu, "wall_s": took, "rss_mb": peak_mb()}))


if __name__ == "__main__":
    main()
