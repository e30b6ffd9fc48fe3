"""The page of benchmarks and its curve, from what was measured."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from contracts.tables import TABLES
from tests.bench.costing import LIMIT_S
from tests.bench.rivals import MEMORY

_JOBS = {
    "tables": "same sums, ours: day, week and month tables, with intervals, nothing kept",
    "naive": "same sums, DuckDB as it is written: CASE of 150 rules, ASOF JOIN",
    "expert": "same sums, DuckDB by hand: rules decided per combination, owners by day",
    "first": "whole job, ours: all published tables for the first time, nothing kept",
    "whole_naive": "whole job, DuckDB as it is written",
    "whole_expert": "whole job, DuckDB by hand",
    "anew": "ours: all published tables, nothing kept but what is published: files of cases that are there are not written again",
    "run": "ours: all published tables, nothing new",
    "owners": "ours: ten touchpoints in other hands for 90 days, all tables",
    "batch": "ours: 10,000 new events absorbed, all tables",
    "scan": "the limit: the columns that ours reads, summed up by polars",
}
_GROWING = {
    **_JOBS,
    "warm": "ours: 10,000 new events in a process that stays, the last of four batches",
    "warm_tables": "ours: the same, of day, week and month tables alone",
}
_CURVES = {
    "naive": "#999",
    "expert": "#666",
    "whole_naive": "#b98",
    "whole_expert": "#854",
    "tables": "#0a6",
    "first": "#048",
    "anew": "#06c",
    "batch": "#c50",
    "warm": "#e90",
    "warm_tables": "#cb0",
    "owners": "#a3c",
    "scan": "#bbb",
}
_SAME_SUMS = (
    "**The same sums**: counts, sums and shares of six metrics by day, touchpoint and owner; the same by week and month with median and "
    "90th percentile of resolution times, by touchpoint. Ours adds an interval to every value."
)
_WHOLE_JOB = (
    "**The whole job**: what a release publishes. DuckDB makes these tables, as Parquet: `measure_daily`; `scorecard_touchpoint` and "
    "`scorecard_owner` by week, month, quarter, 28-day window and to date, with values, medians and 90th percentiles, the period before, "
    "who answered at the close; `scorecard_segment` (CSAT by channel against the rest); `fact_case` (every ticket from opening to closing, its "
    "passage through groups); `fact_handoff`; `fact_issue_flow` (opened, resolved, closed, backlog and ages every day); `score_distribution`; "
    "`rule_hit`; `fact_event_unmatched`, `accountability_ladder` and `person_load` with distinct customers; `unmatched_share`; "
    "`observed_accountability`; `fact_customer_flow`, `fact_customer_loss` and `fact_customer_cohort` (customers gained, back, lost after 30 "
    "days of silence, by week, month and quarter, and who of a month is active later). Every cell of every row in the columns that it makes is held against ours; its SQL stands in `tests/bench/sql`. "
    "Ours does more in its time, which DuckDB is not asked for: 95 % intervals and their bounds, verdicts against goals, breaches and "
    "whether they are inherited, answers still needed; scorecards of teams, stages and the company; why values changed; goals on their way, "
    "process behaviour, windows as wide as they have to be; the gap audit, trust in every value; alerts and their ledger; dimensions; all "
    "rows in order, every promise of {tables} tables checked, and one release of all or none."
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 400, 60, 20, 230, 40

Point = Mapping[str, Any]


def _best(point: Point, job: str) -> Mapping[str, Any] | None:
    """The cheapest round of a job that ended; None when none did."""
    ended = [cost for cost in point["costs"].get(job, ()) if cost["has_ended"]]
    return min(ended, key=lambda cost: cost["cpu_s"], default=None)


def _spent(cost: Mapping[str, Any]) -> float:
    """CPU seconds of a job; of several batches in one process those of the last."""
    each = cost["said"].get("cpu_s_of_each")
    return each[-1] if each else cost["cpu_s"]


def page(points: Sequence[Point]) -> str:
    """The page, as Markdown."""
    rounds = " or ".join(
        str(n) for n in sorted({len(point["costs"]["tables"]) for point in points}, reverse=True)
    )
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench-full` (or `python -m tests.bench.curve FOLDER SIZES ROUNDS`); nothing in it is typed by hand.",
        "",
        (f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, polars {version('polars')}, DuckDB "
        f"{version('duckdb')} with {MEMORY} of memory before it spills. Every job is a process of its own, in turn, "
        f"{rounds} round{'' if rounds == '1' else 's'}; the best round by CPU seconds is shown, imports included, and a job that took "
        f"more than {LIMIT_S / 60:g} minutes was ended, as was one without enough memory. CPU seconds are the figure to trust where the machine was shared: wall time tells "
        "of its load. Memory is the peak of all processes of a job together."),
        "",
        ("The company is made up (`tests/bench/million.py`): 60 touchpoints, 150 ordered rules, 40 seats that change hands about every ten weeks "
        "at any hour, two years, a fifth ticket history. DuckDB reads the same events as strings and numbers, a Parquet file a month; ours reads "
        "its store, in which they are coded, and coding is done once, when events come in. A batch has 10,000 events: 8,000 of the last day, "
        "1,500 of the last month, 500 of the last half-year; what it tells of tickets is told of those opened in the two weeks before, or of new ones."),
        "",
        _SAME_SUMS,
        "",
        _WHOLE_JOB.format(tables=len(TABLES)),
        "",
        "![CPU seconds by number of events](benchmarks.svg)",
        *(_growth(points) if len(points) > 1 else ()),
    ]  # fmt: skip
    for point in points:
        lines += ["", f"## {point['events']:,} events", "", *_table(point), "", *_said(point)]
    return "\n".join(lines) + "\n"


def _growth(points: Sequence[Point]) -> list[str]:
    """CPU seconds of every job by size, and how they grow from one to the next: 1.00 is in proportion."""
    head = [f"{point['events']:,}" for point in points]
    steps = [f"{one} to {other}" for one, other in pairwise(head)]
    lines = [
        "",
        "CPU seconds by size, and how much more an event costs at the larger one: 1.00 is in proportion, 0.10 no more at ten times the events.",
        "",
        f"| job | {' | '.join([*head, *steps])} |",
        f"| --- |{' ---: |' * len([*head, *steps])}",
    ]
    for job in _GROWING:
        best = [_best(point, job) for point in points]
        cells = [f"{_spent(one):.1f}" if one else "not ended" for one in best]
        for (one, before), (other, after) in pairwise(zip(best, points, strict=True)):
            grown = (
                _spent(other) / _spent(one) * before["events"] / after["events"] if one and other else None
            )
            cells.append("" if grown is None else f"{grown:.2f}")
        lines.append(f"| {job} | {' | '.join(cells)} |")
    return lines


def _table(point: Point) -> list[str]:
    lines = ["| job | CPU s | wall s | peak MB | events read |", "| --- | ---: | ---: | ---: | ---: |"]
    for job, about in _JOBS.items():
        best = _best(point, job)
        if job not in point["costs"]:
            lines.append(f"| {about} | not tried: less had not ended | | | |")
            continue
        if best is None:
            worst = point["costs"][job][-1]
            lines.append(
                f"| {about} | ended at {worst['cpu_s']:.0f} | {worst['wall_s']:.0f} | {worst['peak_mb']} | |"
            )
            continue
        read = best["said"].get("events_read")
        read = point["events"] if read is None else read
        lines.append(
            f"| {about} | {best['cpu_s']:.1f} | {best['wall_s']:.1f} | {best['peak_mb']} | {read:,} |"
        )
    return lines


def _said(point: Point) -> list[str]:
    lines = [*_ratios(point), *_equality(point)]
    for job in ("first", "anew", "run", "owners", "batch"):
        if best := _best(point, job):
            peaks = ", ".join(f"{name} {mb}" for name, mb in best["said"]["peak_mb_by_stage"].items())
            lines.append(f"- CPU seconds of `{job}` by stage: {_by_stage(best['said'])}. Peak MB: {peaks}.")
    for job, of in (("warm", "all tables"), ("warm_tables", "day, week and month tables alone")):
        if best := _best(point, job):
            each = ", ".join(map(str, best["said"]["cpu_s_of_each"]))
            lines.append(
                f"- Batches one after the other in a process that stays, {of}: {each} CPU seconds; the last by stage: "
                f"{_by_stage(best['said'], 'start')}."
            )
    if best := _best(point, "remapped"):
        (first, changed, back), took = best["said"]["cpu_s_of_each"], best["said"]["wall_s_of_each"]
        lines.append(
            "- Ten touchpoints in other hands for 90 days in a process that stays, the map read again, all tables "
            f"published: {changed} CPU seconds and {took[1]} by the clock, and {back} and {took[2]} when they go back; "
            f"the first run of the process took {first} and {took[0]}."
        )
    return [*lines, *_storing(point)]


def _by_stage(said: Mapping[str, Any], *left_out: str) -> str:
    return ", ".join(
        f"{name} {cost}" for name, cost in said["cpu_s_by_stage"].items() if name not in left_out
    )


def _ratios(point: Point) -> list[str]:
    lines = []
    for about, job, others in (
        ("The same sums", "tables", ("naive", "expert", "scan")),
        ("The whole job", "first", ("whole_naive", "whole_expert", "scan")),
    ):
        against = [
            f"{mine['cpu_s'] / other['cpu_s']:.2f} times that of {_called(rival)} ({mine['wall_s'] / other['wall_s']:.2f} by the clock)"
            for rival in others
            if (mine := _best(point, job)) and (other := _best(point, rival))
        ]
        if against:
            lines.append(f"- {about}: our CPU is {', '.join(against)}.")
    return lines


def _called(rival: str) -> str:
    return rival.removeprefix("whole_")


def _equality(point: Point) -> list[str]:
    cells, differing = point["cells"], point["differing"]
    lines = []
    for about, rivals in (
        ("Equality of the same sums", ("naive", "expert")),
        ("Equality of the whole job", ("whole_naive", "whole_expert")),
    ):
        found = [
            f"{differing[rival]:,} of {cells[rival]:,} cells differ from {_called(rival)} (to 1e-9)"
            for rival in rivals
            if rival in cells
        ]
        lines += [f"- {about}: {', '.join(found)}."] if found else []
    lines += _by_table(point)
    if "verify" in cells:
        lines.append(
            "- After all batches and changes `answerable rebuild --verify`: "
            f"{differing['verify']:,} of {cells['verify']:,} cells differ from everything computed anew."
        )
    return lines


def _by_table(point: Point) -> list[str]:
    """Cells compared and cells that differ of every table of the whole job."""
    rivals = sorted(point["tables"])
    tables = sorted({name for found in point["tables"].values() for name in found})
    told = [
        f"`{name}` {max(point['tables'][rival][name][0] for rival in rivals):,} "
        f"({', '.join(str(point['tables'][rival][name][1]) for rival in rivals)})"
        for name in tables
    ]
    whom = " and from ".join(_called(rival) for rival in rivals)
    return [f"- Cells by table, and how many differ from {whom}: {'; '.join(told)}."] if told else []


def _storing(point: Point) -> list[str]:
    chunks = point["storing"]
    if not chunks:
        return []
    cpu = sum(one["coding_cpu_s"] for one in chunks)
    told = f"- Coding and storing the events, once: {1e6 * cpu / point['events']:.2f} CPU microseconds a row"
    if len(chunks) > 1:
        first, last = chunks[0]["coding_us_a_row"], chunks[-1]["coding_us_a_row"]
        told += f", {first:.2f} of the first of {len(chunks)} deliveries and {last:.2f} of the last"
    peak = max(one["peak_mb"] for one in chunks)
    return [f"{told}; {peak} MB at most, drawing them included, and {chunks[-1]['store_mb']} MB of disk."]


def plot(points: Sequence[Point]) -> str:
    """CPU seconds by number of events, both logarithmic, as SVG."""
    sizes = [point["events"] for point in points]
    ended = {
        job: [(point["events"], _spent(best)) for point in points if (best := _best(point, job))]
        for job in _CURVES
    }
    ended = {job: found for job, found in ended.items() if found}
    costs = [cost for found in ended.values() for _, cost in found]
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    first, last = math.log10(min(sizes)), max(math.log10(max(sizes)), math.log10(min(sizes)) + 1)

    def x(events: float) -> float:
        return _LEFT + (math.log10(events) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(cost: float) -> float:
        return _HEIGHT - _BOTTOM - (math.log10(cost) - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12" role="img">',
        "<title>CPU seconds by number of events</title>",
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10**power:g} s</text>')
    parts += [
        f'<text x="{x(size):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{size:,}</text>'
        for size in sizes
    ]
    ends = sorted((y(found[-1][1]), job) for job, found in ended.items())
    places = dict.fromkeys(sizes, 0.0)
    for at, job in ends:
        line = " ".join(f"{x(events):.1f},{y(cost):.1f}" for events, cost in ended[job])
        events, cost = ended[job][-1]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{_CURVES[job]}" stroke-width="2"/>')
        # Names beside each other would be one over the other; those of lines that end elsewhere are not in their way.
        places[events] = max(at + 4, places[events] + 14)
        parts.append(
            f'<text x="{x(events) + 8:.1f}" y="{places[events]:.1f}" fill="{_CURVES[job]}">{job} {cost:.1f}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
