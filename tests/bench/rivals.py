# ruff: noqa: S608 - the SQL is ours, and so is every name that is put into it
"""The day, week and month tables as DuckDB makes them from the same events, written twice.

*naive*: as somebody writes it who knows SQL: 150 rules as one CASE, owners by ASOF JOIN.
*expert*: as somebody writes it who knows what costs: rules decided once per combination of what they test, then
joined; owners joined by touchpoint and day, with the few changes within a day as a remaining condition; one pass
for all sums, which scores come apart by, so that little is added up an event; an event's place in files that are in
order as the one number to order by. Enums were tried, and took longer than strings that come in dictionaries.

`whole_naive` and `whole_expert` make the tables of the whole job, see `tests.bench.whole_job`.

    python -m tests.bench.rivals export FOLDER             the store's events as canonical Parquet (untimed)
    python -m tests.bench.rivals WAY FOLDER OUT            its tables as Parquet files
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from tests.bench import whole_job
from tests.bench.rules_in_sql import ASKED, SAME_COMBINATION, TESTED, as_case

if TYPE_CHECKING:
    from flows.workspace import LoadedWorkspace

Way = Callable[[duckdb.DuckDBPyConnection, Path], Iterator[tuple[str, str]]]
"""Names of tables and the queries that make them."""

_EPOCH, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "occurred_at", "feed", "kind", "channel", "scale", "score", "amount", "duration_minutes", "subject_type",
    "subject_id", "actor_team", "customer", "attribute_priority", "sequence", "landing", "row",
)  # fmt: skip
TABLES = ("day", "week", "month")
MEMORY = os.environ.get("ANSWERABLE_BENCH_MEMORY", "6GB")
"""What DuckDB may hold; beyond it spills."""


def export(folder: Path) -> None:
    """The store's events as strings and numbers, one Parquet file a month, with what of the map SQL needs."""
    from flows.workspace import load
    from warehouse.store import EventStore

    if (folder / ASKED).exists():
        return  # the last file that is written: histories stay as they are
    workspace = load(folder)
    state = EventStore(workspace.warehouse / "store").head()
    (folder / "canonical").mkdir(exist_ok=True)
    codebook, keys = state.codebook, pl.Series([None, *state.customer_keys()], dtype=pl.String)
    columns = {name: codebook.decoded(name) if codebook.is_coded(name) else pl.col(name) for name in _COLUMNS}
    columns["customer"] = pl.lit(keys).gather(pl.col("customer")).alias("customer_key")
    for month in sorted(state.months):
        events = (
            state.scan(list(_COLUMNS), [month])
            .select(columns.values())
            .sort("occurred_at", "sequence", "landing", "row")
        )
        events.sink_parquet(folder / f"canonical/{month}.parquet", compression="zstd", compression_level=3)
    _export_map(workspace, folder)


def _export_map(workspace: "LoadedWorkspace", folder: Path) -> None:
    """Tenures and dimensions as Parquet, ordered rules and the instant it is as JSON."""
    atlas = workspace.atlas
    held = [
        (t.touchpoint, max(t.start, _EPOCH), min(t.end, _END), t.person or "nobody", t.team or "nobody")
        for t in workspace.tenures
    ]
    kinds = {"touchpoint": pl.String, "since": pl.Datetime("us", "UTC"), "until": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(held, schema={**kinds, "owner": pl.String, "team": pl.String}, orient="row")
    frame.sort("touchpoint", "since").write_parquet(folder / "tenures.parquet")
    groups = [(group, team.id) for team in atlas.teams for group in team.groups]
    pl.DataFrame(groups, schema={"grp": pl.String, "team": pl.String}, orient="row").write_parquet(
        folder / "groups.parquet"
    )
    places = [(one.id, one.stage) for one in atlas.touchpoints]
    pl.DataFrame(places, schema={"touchpoint": pl.String, "stage": pl.String}, orient="row").write_parquet(
        folder / "touchpoints.parquet"
    )
    ruled = [(number, one.id, one.touchpoint) for number, one in enumerate(atlas.rules, start=1)]
    pl.DataFrame(
        ruled, schema={"rule": pl.Int16, "rule_id": pl.String, "touchpoint": pl.String}, orient="row"
    ).write_parquet(folder / "rules.parquet")
    asked = {
        "rules": [json.loads(rule.model_dump_json()) for rule in atlas.rules],
        "now": workspace.now.isoformat(),
    }
    (folder / ASKED).write_text(json.dumps(asked))


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
_OF_SCORES = """
sum(n) AS events_n,
sum(amount_n) FILTER (is_crm) AS amount_n,
sum(amount_cents) FILTER (is_crm) AS amount_cents,
sum(n) FILTER (scale='csat' AND score BETWEEN 1 AND 5) AS csat_n,
sum(n) FILTER (scale='csat' AND score BETWEEN 4 AND 5) AS csat_good,
sum(n) FILTER (scale='ces' AND score BETWEEN 1 AND 7) AS ces_n,
sum(n) FILTER (scale='ces' AND score BETWEEN 5 AND 7) AS ces_good,
sum(n) FILTER (scale='nps' AND score BETWEEN 0 AND 10) AS nps_n,
sum(n) FILTER (scale='nps' AND score BETWEEN 9 AND 10) AS promoters,
sum(n) FILTER (scale='nps' AND score BETWEEN 0 AND 6) AS detractors
"""
"""The same of rows that stand for several events each, of one score."""
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
    coalesce(max({order}) FILTER (kind='ticket.reopened')
      > max({order}) FILTER (kind IN ('ticket.resolved', 'ticket.closed')), false) AS is_open_again,
    CASE WHEN NOT is_open_again THEN max(occurred_at) FILTER (kind='ticket.resolved') END AS resolved_at,
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
    rules = json.loads((folder / ASKED).read_text())["rules"]
    db.execute(f"""CREATE TEMP TABLE credited AS
      SELECT m.* EXCLUDE (actor_team, customer_key, attribute_priority),
        CASE WHEN m.occurred_at < t.until THEN t.owner ELSE 'nobody' END AS owner, occurred_at::DATE AS date
      FROM (SELECT *, {as_case(rules, over="events")} AS touchpoint FROM read_parquet('{folder}/canonical/*.parquet')) m
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
    rules = json.loads((folder / ASKED).read_text())["rules"]
    has = ", ".join(f"coalesce({c} >= {limit}, false) AS has_{c}" for c, limit in TESTED.items())
    either = ", ".join(f"(SELECT unnest([false, true]) AS has_{c})" for c in TESTED)
    db.execute(f"""CREATE TEMP VIEW events AS SELECT *, occurred_at::DATE AS date,
      (file_index << 32) + file_row_number AS place, {has} FROM read_parquet('{folder}/canonical/*.parquet')""")
    db.execute(f"""CREATE TEMP TABLE decided AS SELECT *, {as_case(rules, over="combinations")} AS touchpoint
      FROM (SELECT DISTINCT feed, kind FROM events), (SELECT DISTINCT channel FROM events), {either}""")
    db.execute(f"""CREATE TEMP TABLE held AS SELECT touchpoint, owner, since, until, unnest(generate_series(
      greatest(since, TIMESTAMPTZ '2024-10-01')::DATE, least(until, TIMESTAMPTZ '2026-12-31')::DATE,
      INTERVAL 1 DAY))::DATE AS date FROM read_parquet('{folder}/tenures.parquet')""")
    db.execute(f"""CREATE TEMP TABLE sums AS SELECT m.date, d.touchpoint, coalesce(h.owner, 'nobody') AS owner,
      m.feed = 'crm' AS is_crm, m.scale, m.score, count(*) AS n, count(m.amount) AS amount_n,
      sum(round(m.amount * 100)::BIGINT) AS amount_cents
      FROM events m JOIN decided d ON {SAME_COMBINATION}
      LEFT JOIN held h ON h.touchpoint = d.touchpoint AND h.date = m.date AND m.occurred_at >= h.since
        AND m.occurred_at < h.until GROUP BY ALL""")
    db.execute(f"""CREATE TEMP VIEW daily AS SELECT date, touchpoint, owner, {_only_matched(_OF_SCORES)}
      FROM sums GROUP BY ALL""")
    tickets = f"""(SELECT m.*, d.touchpoint FROM events m JOIN decided d ON {SAME_COMBINATION}
      WHERE m.subject_type='ticket')"""
    db.execute(_CASES.format(
        touchpoint="touchpoint", order="place", told=tickets, owner="",
        join="""LEFT JOIN (SELECT touchpoint AS place, owner, since, until, date FROM held) h ON place = touchpoint
          AND h.date = opened_at::DATE AND opened_at >= since AND opened_at < until""",
    ).replace("SELECT touchpoint, owner", "SELECT touchpoint, coalesce(owner, 'nobody') AS owner"))  # fmt: skip
    db.execute("CREATE TEMP VIEW dated AS SELECT *, opened_at::DATE AS date FROM cases")
    yield from _periods("daily", "dated")


def _only_matched(sums: str) -> str:
    """Everything but the count of events is of events that a rule matched."""
    return sums.replace("FILTER (", "FILTER (touchpoint <> 'unmatched' AND ")


def _whole(way: str) -> Way:
    return lambda db, folder: whole_job.tables(db, folder, way)


WAYS: dict[str, Way] = {
    "naive": naive,
    "expert": expert,
    "whole_naive": _whole("naive"),
    "whole_expert": _whole("expert"),
}


def make(way: str, folder: Path, out: Path) -> None:
    """Make the tables one way."""
    out.mkdir(parents=True, exist_ok=True)
    spilled = out / "spilled"
    shutil.rmtree(spilled, ignore_errors=True)  # of one that was ended
    with duckdb.connect() as db:
        db.execute("SET TimeZone='UTC'; SET threads=2; SET preserve_insertion_order=false")
        db.execute(f"SET memory_limit='{MEMORY}'; SET temp_directory='{spilled}'")
        for name, query in WAYS[way](db, folder):
            db.execute(
                f"COPY ({query}) TO '{out}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
            )


def main() -> None:
    """Export, or make the tables one way."""
    way, folder, *more = sys.argv[1:]
    if way == "export":
        export(Path(folder))
    else:
        make(way, Path(folder), Path(more[0]))


if __name__ == "__main__":
    main()
