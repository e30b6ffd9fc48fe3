# ruff: noqa: S608 - the SQL is ours, and so is every name that is put into it
"""The day, week and month tables as DuckDB makes them from the same events, written twice.

*naive*: as somebody writes it who knows SQL: 150 rules as one CASE, owners by ASOF JOIN.
*expert*: as somebody writes it who knows what costs: rules decided once per combination of what they test, then
joined; owners joined by touchpoint and day, with the few changes within a day as a remaining condition; one pass
for all sums.

    python -m tests.bench.rivals export FOLDER             the store's events as canonical Parquet (untimed)
    python -m tests.bench.rivals naive|expert FOLDER OUT   three tables as Parquet files
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

_EPOCH, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "occurred_at", "feed", "kind", "channel", "scale", "score", "amount", "duration_minutes", "subject_type",
    "subject_id", "sequence", "landing", "row",
)  # fmt: skip
TABLES = ("day", "week", "month")
MEMORY = os.environ.get("ANSWERABLE_BENCH_MEMORY", "6GB")
"""What DuckDB may hold; beyond it spills."""
_TESTED = {"score": 5, "amount": 100, "duration_minutes": 30}


def export(folder: Path) -> None:
    """The store's events as strings and numbers, one Parquet file a month, with the tenures of touchpoints."""
    from flows.workspace import load
    from warehouse.store import EventStore

    workspace = load(folder)
    state = EventStore(workspace.warehouse / "store").head()
    out = folder / "canonical"
    if (folder / "rules.json").exists():
        return  # the last file that is written: histories stay as they are
    out.mkdir(exist_ok=True)
    codebook = state.codebook
    decoded = [codebook.decoded(c) if codebook.is_coded(c) else pl.col(c) for c in _COLUMNS]
    for month in sorted(state.months):
        events = state.scan(list(_COLUMNS), [month]).select(decoded).sort("occurred_at")
        events.sink_parquet(out / f"{month}.parquet", compression="zstd", compression_level=3)
    held = [
        (t.touchpoint, max(t.start, _EPOCH), min(t.end, _END), t.person or "nobody")
        for t in workspace.tenures
    ]
    kinds = {"touchpoint": pl.String, "since": pl.Datetime("us", "UTC"), "until": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(held, schema={**kinds, "owner": pl.String}, orient="row")
    frame.sort("touchpoint", "since").write_parquet(folder / "tenures.parquet")
    rules = [json.loads(rule.model_dump_json()) for rule in workspace.atlas.rules]
    (folder / "rules.json").write_text(json.dumps(rules))


def _cases(rules: list[dict], *, over: str) -> str:
    """All rules as one CASE; `over` is `events` or `combos`, where numbers are tested already."""
    whens = []
    for rule in rules:
        tests = [
            f"{name} IN ({', '.join(repr(v) for v in rule[name])})"
            for name in ("feed", "kind", "channel")
            if rule[name]
        ]
        tests += [
            f"{column} >= {_TESTED[column]}" if over == "events" else f"has_{column}"
            for column in rule["where"]
        ]
        whens.append(f"WHEN {' AND '.join(tests)} THEN '{rule['touchpoint']}'")
    return f"CASE {' '.join(whens)} ELSE 'unmatched' END"


_OF_EVENTS = """
count(*) AS events_n,
count(*) FILTER (feed='crm' AND amount IS NOT NULL) AS amount_n,
sum(round(amount * 100)::BIGINT) FILTER (feed='crm') AS amount_cents,
count(*) FILTER (scale='csat' AND score BETWEEN 1 AND 5) AS csat_n,
count(*) FILTER (scale='csat' AND score BETWEEN 4 AND 5) AS csat_good,
count(*) FILTER (scale='ces' AND score BETWEEN 1 AND 7) AS ces_n,
count(*) FILTER (scale='ces' AND score BETWEEN 5 AND 7) AS ces_good,
count(*) FILTER (scale='nps' AND score BETWEEN 0 AND 10) AS nps_n,
count(*) FILTER (scale='nps' AND score BETWEEN 9 AND 10) AS promoters,
count(*) FILTER (scale='nps' AND score BETWEEN 0 AND 6) AS detractors
"""
_SUMS = (
    "events_n", "amount_n", "amount_cents", "csat_n", "csat_good", "ces_n", "ces_good", "nps_n", "promoters",
    "detractors",
)  # fmt: skip
_CASES = """
CREATE TEMP TABLE cases AS
SELECT touchpoint, owner, opened_at, (epoch_us(resolved_at) - epoch_us(opened_at)) / 3600e6 AS hours, again > 0 AS again
FROM (SELECT feed, subject_id,
    arg_min({touchpoint}, {order}) FILTER (kind='ticket.opened') AS touchpoint,
    {owner}
    min(occurred_at) FILTER (kind='ticket.opened') AS opened_at,
    max(occurred_at) FILTER (kind='ticket.resolved') AS resolved_at,
    count(*) FILTER (kind='ticket.reopened') AS again
  FROM {told} WHERE subject_type='ticket' GROUP BY feed, subject_id)
{join} WHERE opened_at IS NOT NULL AND touchpoint <> 'unmatched'
"""
_ORDER = '(occurred_at, "sequence", landing, "row")'


def _periods(source: str, cases: str) -> Iterator[tuple[str, str]]:
    """The three tables: day by touchpoint and owner, week and month by touchpoint, with quantiles of cases."""
    summed = ", ".join(f"sum({name})::BIGINT AS {name}" for name in _SUMS)
    for period in TABLES:
        start = "date" if period == "day" else f"date_trunc('{period}', date)::DATE"
        on = "period_start, touchpoint" + (", owner" if period == "day" else "")
        keys = f"{start} AS {on}"
        ranked = ", count(hours) AS resolution_n, quantile_cont(hours, 0.5) AS p50, quantile_cont(hours, 0.9) AS p90"
        yield (
            period,
            f"""
        WITH e AS (SELECT {keys}, {summed} FROM {source} GROUP BY ALL),
          c AS (SELECT {keys}, count(*) AS reopened_n, count(*) FILTER (again) AS reopened_good
            {"" if period == "day" else ranked} FROM {cases} GROUP BY ALL)
        SELECT {on}, e.* EXCLUDE ({on}), c.* EXCLUDE ({on}) FROM e FULL JOIN c USING ({on}) ORDER BY {on}""",
        )


def naive(db: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[tuple[str, str]]:
    """CASE and ASOF JOIN; every table from the credited events."""
    rules = json.loads((folder / "rules.json").read_text())
    db.execute(f"""CREATE TEMP TABLE credited AS
      SELECT m.*, CASE WHEN m.occurred_at < t.until THEN t.owner ELSE 'nobody' END AS owner, occurred_at::DATE AS date
      FROM (SELECT *, {_cases(rules, over="events")} AS touchpoint FROM read_parquet('{folder}/canonical/*.parquet')) m
      ASOF LEFT JOIN read_parquet('{folder}/tenures.parquet') t
      ON m.touchpoint = t.touchpoint AND m.occurred_at >= t.since""")
    told = _CASES.format(
        touchpoint="touchpoint", order=_ORDER, told="credited", join="",
        owner=f"arg_min(owner, {_ORDER}) FILTER (kind='ticket.opened') AS owner,",
    )  # fmt: skip
    db.execute(told)
    db.execute(f"""CREATE TEMP VIEW daily AS SELECT date, touchpoint, owner,
      {_only_matched(_OF_EVENTS)} FROM credited GROUP BY ALL""")
    db.execute("CREATE TEMP VIEW dated AS SELECT *, opened_at::DATE AS date FROM cases")
    yield from _periods("daily", "dated")


def expert(db: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[tuple[str, str]]:
    """A decision table, owners by day, one pass for all sums."""
    rules = json.loads((folder / "rules.json").read_text())
    events = f"read_parquet('{folder}/canonical/*.parquet')"
    has = ", ".join(f"coalesce({c} >= {limit}, false) AS has_{c}" for c, limit in _TESTED.items())
    keys = "feed, kind, channel, has_score, has_amount, has_duration_minutes"
    db.execute(f"""CREATE TEMP TABLE decided AS SELECT *, {_cases(rules, over="combos")} AS touchpoint
      FROM (SELECT DISTINCT feed, kind, channel, {has} FROM {events})""")
    db.execute(f"""CREATE TEMP TABLE held AS SELECT touchpoint, owner, since, until, unnest(generate_series(
      greatest(since, TIMESTAMPTZ '2024-10-01')::DATE, least(until, TIMESTAMPTZ '2026-12-31')::DATE,
      INTERVAL 1 DAY))::DATE AS date FROM read_parquet('{folder}/tenures.parquet')""")
    on = " AND ".join(f"m.{key} IS NOT DISTINCT FROM d.{key}" for key in keys.split(", "))
    db.execute(f"""CREATE TEMP TABLE daily AS SELECT m.date, touchpoint, coalesce(h.owner, 'nobody') AS owner,
      {_only_matched(_OF_EVENTS)}
      FROM (SELECT m.*, d.touchpoint FROM (SELECT *, occurred_at::DATE AS date, {has} FROM {events}) m
        JOIN decided d ON {on}) m
      LEFT JOIN (SELECT touchpoint AS place, owner, since, until, date FROM held) h
        ON h.place = m.touchpoint AND h.date = m.date AND m.occurred_at >= h.since AND m.occurred_at < h.until GROUP BY ALL""")
    tickets = f"""(SELECT m.*, d.touchpoint FROM (SELECT occurred_at, feed, kind, channel, "sequence", landing, "row",
      subject_type, subject_id, {has} FROM {events} WHERE subject_type='ticket') m JOIN decided d ON {on})"""
    db.execute(_CASES.format(
        touchpoint="touchpoint", order=_ORDER, told=tickets, owner="",
        join="""LEFT JOIN (SELECT touchpoint AS place, owner, since, until, date FROM held) h ON place = touchpoint
          AND h.date = opened_at::DATE AND opened_at >= since AND opened_at < until""",
    ).replace("SELECT touchpoint, owner", "SELECT touchpoint, coalesce(owner, 'nobody') AS owner"))  # fmt: skip
    db.execute("CREATE TEMP VIEW dated AS SELECT *, opened_at::DATE AS date FROM cases")
    yield from _periods("daily", "dated")


def _only_matched(sums: str) -> str:
    """Everything but the count of events is of events that a rule matched."""
    return sums.replace("FILTER (", "FILTER (touchpoint <> 'unmatched' AND ")


WAYS = {"naive": naive, "expert": expert}


def make(way: str, folder: Path, out: Path) -> None:
    """Make the three tables one way."""
    out.mkdir(parents=True, exist_ok=True)
    spilled = out / "spilled"
    shutil.rmtree(spilled, ignore_errors=True)  # of one that was ended
    with duckdb.connect() as db:
        db.execute("SET TimeZone='UTC'; SET threads=2")
        db.execute(f"SET memory_limit='{MEMORY}'; SET temp_directory='{spilled}'")
        for name, query in WAYS[way](db, folder):
            db.execute(f"COPY ({query}) TO '{out}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def main() -> None:
    """Export, or make the three tables one way."""
    way, folder, *more = sys.argv[1:]
    if way == "export":
        export(Path(folder))
    else:
        make(way, Path(folder), Path(more[0]))


if __name__ == "__main__":
    main()
