"""Families of cases about time and work: survival, percentiles, Little's law, handovers, counts of files."""

import gzip
import itertools
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from contracts.feeds import Stream
from contracts.odcs import SchemaObject
from flows.feeds import Offer
from flows.feeds.file import read
from tests.conftest import SHARED
from tests.golden.case import FOLDER, Case
from transforms.intervals import z_of
from transforms.methods import flows, handover, retention
from transforms.methods.percentiles import PLOTTING, percentile
from transforms.methods.survival import kaplan_meier, log_rank, survival_at, survival_quantile

Found = Mapping[str, Any]


def survival(case: Case) -> Found:
    """Every group's curve at its events, its median and interval, and the log-rank test."""
    groups = {name: value for name, value in case.inputs.items() if isinstance(value, Mapping)}
    groups = {name: _observed(group, case) for name, group in (groups or {"": case.inputs}).items()}
    found: dict[str, Any] = {}
    for name, group in groups.items():
        told = _curve(group, case)
        found |= told if not name else {f"{name}_{figure}": value for figure, value in told.items()}
    if len(groups) > 1:
        times = np.concatenate([np.asarray(group["time"], dtype=float) for group in groups.values()])
        events = np.concatenate([np.asarray(group["event"]) for group in groups.values()])
        member = np.repeat(np.arange(len(groups)), [len(group["time"]) for group in groups.values()])
        test = log_rank(times, events, member, case.given("rho", default=0.0))
        for name, value in test._asdict().items():
            found[f"logrank_{name}"] = value.tolist() if isinstance(value, np.ndarray) else value
        found |= {"logrank_chisq": test.statistic, "logrank_p": test.p_value, "logrank_df": test.degrees}
    return found | _abbreviated(case.expected, found, groups)


def _observed(group: Mapping[str, Any], case: Case) -> Mapping[str, Any]:
    """Times and whether each ended with the event: as given, from R's status of 1 and 2, or a file of tenures."""
    if "file" in group:
        rows = _table(case).filter(pl.col("tenure") != "0")
        return {"time": rows["tenure"].cast(pl.Int64).to_list(), "event": (rows["Churn"] == "Yes").to_list()}
    events = next(group[name] for name in ("event", "status", "events", "observed") if name in group)
    return {"time": group["time"], "event": [one == 2 for one in events] if max(events) == 2 else events}


def _abbreviated(expected: Found, found: Found, groups: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of groups that the source names by the beginning of their names."""
    told = {}
    for name in expected:
        start, _, figure = name.partition("_")
        whole = [group for group in groups if group.startswith(start)]
        if name not in found and len(whole) == 1:
            told[name] = found[f"{whole[0]}_{figure}"]
    return told


def _curve(group: Mapping[str, Any], case: Case) -> dict[str, Any]:
    frame = pl.LazyFrame({"time": group["time"], "is_event": group["event"]})
    transform = {"log-log": "log_log", "plain": "plain"}.get(
        case.given("conf_type", default="log-log"), "log"
    )
    curve = kaplan_meier(frame, [], z_of(case.confidence), transform).collect()
    steps = curve.filter(pl.col("events") > 0)
    found: dict[str, Any] = {"S": steps["survival"].to_list(), "lo": steps["low"].to_list()}
    found |= {"hi": steps["high"].to_list(), "se": steps["error"].to_list(), "time": steps["time"].to_list()}
    found |= {"n_risk": steps["at_risk"].to_list(), "n_event": steps["events"].to_list()}
    for percent in (10, 25, 50, 75, 90, 95):
        row = survival_quantile(curve.lazy(), [], percent / 100).collect().row(0, named=True)
        found |= {f"p{percent}": row["time"], f"p{percent}_lo": row["low"], f"p{percent}_hi": row["high"]}
    found |= {"median": found["p50"], "median_lo": found["p50_lo"], "median_hi": found["p50_hi"]}
    found["median_ci"] = [found["p50_lo"], found["p50_hi"]]
    for name in case.expected:
        if at := re.search(r"S_?\(?(\d+)\)?m?$", name):
            found[at.group().lstrip("_")] = survival_at(curve.lazy(), [], float(at.group(1))).collect()[
                "survival"
            ][0]
    return found


def percentiles(case: Case) -> Found:
    """Every continuous type of Hyndman and Fan, of one quantile or several."""
    frame = pl.DataFrame({"value": case.inputs["values"]})
    asked = case.given("p", "probs", "quantiles")
    many = asked if isinstance(asked, list) else [asked]
    found = {}
    for kind in PLOTTING:
        values = [frame.select(percentile(pl.col("value"), p, kind)).item() for p in many]
        for name in (f"hyndman_fan_{kind}", f"type_{kind}", f"type{kind}"):
            found[name] = values if isinstance(asked, list) else values[0]
    return found


def little(case: Case) -> Found:
    """Lines by their work in process, or cases over a window."""
    inputs = case.inputs
    if "rb" in inputs:
        rate, raw = inputs["rb"], inputs["T0"]
        kinds = {"best": flows.best_case, "pwc": flows.practical_worst_case, "worst": flows.worst_case}
        many = inputs["w"] if isinstance(inputs["w"], list) else [inputs["w"]]
        found: dict[str, Any] = {
            name: [list(line(w, rate, raw)) for w in many] for name, line in kinds.items()
        }
        found |= {f"{name}_w{w}": list(line(w, rate, raw)) for name, line in kinds.items() for w in many}
        return found | {"W0": rate * raw}
    cases = case.given("cases", "intervals", "tickets")
    start, end = (
        _hours(case.given("start", "window_start", default=0)),
        _hours(case.given("end", "window_end")),
    )
    frame = pl.LazyFrame({
        "opened_at": [_hours(opened) for opened, _ in cases],
        "closed_at": pl.Series([_hours(closed) for _, closed in cases], dtype=pl.Datetime("us", "UTC")),
    })  # fmt: skip
    row = flows.littles_check(frame, start, end).collect().row(0, named=True)
    return {**row, "L": row["cases_average"], "lambda": row["arrivals_per_hour"], "W": row["hours_in_window"]}


def _hours(moment: float | str | None) -> datetime | None:
    if moment is None or isinstance(moment, str):
        return None if moment is None else datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=moment)


def handovers(case: Case) -> Found:
    """Shares of direct successions, A after A included as process mining tools have it, and handovers alone."""
    rows = next(value for value in case.inputs.values() if isinstance(value, list))
    names = ["case", "owner", "activity", "at"][: len(rows[0])]
    events = pl.LazyFrame(rows, schema=names, orient="row")
    order = ["at"] if "at" in names else []
    found: dict[str, Any] = {}
    for with_self, suffix in ((False, "_handoffs"), (True, "")):
        pairs = handover.handovers(events, "case", "owner", order, with_self=with_self).collect()
        told = {f"{a}->{b}": share for a, b, _, share in pairs.rows()}
        counts = {f"{a}->{b}": count for a, b, count, _ in pairs.rows()}
        found |= {f"shares{suffix}": told, f"counts{suffix}": counts}
    turns = handover.returns(events, "case", "owner", order).collect()
    whole = all(isinstance(value, int) for value in case.expected.values())
    found |= found["counts"] if whole else found["shares"]
    return found | {
        "handoffs": int(turns["handover_count"].sum()),
        "ping_pong": int(turns["is_ping_pong"].sum()),
    }


def _table(case: Case) -> pl.DataFrame:
    """The rows of a file of the data sets, as the product's reader gives them."""
    name = case.inputs["file"].removeprefix("open/")
    places = [folder / "data" / name for folder in (SHARED, FOLDER.parent)]
    path = next((place for place in places if place.exists()), None)
    assert path, f"{name} is not at hand: set ANSWERABLE_SHARED to the folder that has data/"
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        header = next(file).lstrip("\ufeff").rstrip("\r\n").replace('"', "").split(",")
    columns = [{"name": f"c{i}", "physicalName": column} for i, column in enumerate(header)]
    shape = SchemaObject.model_validate({"name": "rows", "properties": columns})
    stream = Stream(name="rows", files=path.name, format="csv", contract="none", settle_seconds=0)
    rows = read(Offer(path.name, path, ""), stream, shape).rows
    told = [pl.col(f"c{i}").alias(column) for i, column in enumerate(header)]
    blank = pl.all().str.strip_chars().is_in(["", "?"])
    return rows.select(told).with_columns(pl.when(~blank).then(pl.all()))


def file_counts(case: Case) -> Found:
    """What a delivery holds: rows, distinct ids, blanks, repeated rows."""
    rows = _table(case)
    found: dict[str, Any] = {"rows": rows.height, "events": rows.height, "attributes": rows.width}
    found |= {"columns": rows.width, "respondents": rows.height}
    found["exact_duplicates"] = rows.height - rows.n_unique()
    for column, name in {"number": "incidents", "InvoiceNo": "invoices", "CustomerID": "customers",
                         "customerID": "customers", "caller_id": "callers", "StockCode": "products",
                         "Country": "countries", "assignment_group": "groups"}.items():  # fmt: skip
        if column in rows.columns:
            found[name] = rows[column].drop_nulls().n_unique()
    if "InvoiceNo" in rows.columns:
        cancelled = rows.filter(pl.col("InvoiceNo").str.starts_with("C"))
        found |= {
            "rows_without_customer": rows["CustomerID"].null_count(),
            "cancellation_rows": cancelled.height,
        }
        found["cancellation_invoices"] = cancelled["InvoiceNo"].n_unique()
    return found


def churn(case: Case) -> Found:
    """Who was there at the start and who left: counts, spans or a file of customers."""
    if "file" in case.inputs:
        rows = _table(case)
        lost, opening = int((rows["Churn"] == "Yes").sum()), rows.height
        blank = rows["TotalCharges"].null_count()
        told = {"blank_total_charges": blank, "tenure_zero": int((rows["tenure"] == "0").sum())}
    elif isinstance(alive := case.given("survivors", "active", "alive"), list):
        pairs = pl.DataFrame({"opening": alive[:-1], "lost": [a - b for a, b in itertools.pairwise(alive)]})
        shares = pairs.select(retention.churn(pl.col("opening"), pl.col("lost"))).to_series().to_list()
        stays = [1 - share for share in shares]
        return {"churn": shares, "churn_rate": shares, "retention": stays, "retention_rate": stays,
                "survival": [one / alive[0] for one in alive]}  # fmt: skip
    else:
        opening = case.given("customers_at_start", "start", "opening", "customers")
        lost, told = case.given("lost", "churned", "lost_customers"), {}
    value = pl.select(retention.churn(pl.lit(opening), pl.lit(lost))).item()
    shares = {"churn_share": value, "churn": value, "churn_rate": value}
    shares |= {"retention": 1 - value, "retention_share": 1 - value, "retention_rate": 1 - value}
    return {"customers": opening, "churned": lost, "lost": lost, **shares, **told}
