"""The page of benchmarks and its curve, from what was measured."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

_JOBS = {
    "tables": "ours: day, week and month tables, with intervals, nothing kept",
    "naive": "DuckDB as it is written: CASE of 150 rules, ASOF JOIN",
    "expert": "DuckDB by hand: rules decided per combination, owners by day",
    "anew": "ours: all published tables, nothing kept",
    "run": "ours: all published tables, nothing new",
    "owners": "ours: ten touchpoints in other hands for 90 days, all tables",
    "batch": "ours: 10,000 new events absorbed, all tables",
}
_CURVES = {
    "naive": "#999",
    "expert": "#666",
    "tables": "#0a6",
    "anew": "#06c",
    "batch": "#c50",
    "owners": "#a3c",
}
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 400, 60, 20, 230, 40

Point = Mapping[str, Any]


def _best(point: Point, job: str) -> Mapping[str, Any]:
    return min(point["costs"][job], key=lambda cost: cost["cpu_s"])


def page(points: Sequence[Point]) -> str:
    """The page, as Markdown."""
    rounds = len(points[0]["costs"]["tables"])
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench-full` (or `python -m tests.bench.curve FOLDER SIZES ROUNDS`); nothing in it is typed by hand.",
        "",
        (f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, polars {version('polars')}, DuckDB "
        f"{version('duckdb')}. Every job is a process of its own, in turn, {rounds} round{'s' if rounds > 1 else ''}; the best round by CPU "
        "seconds is shown, imports included. CPU seconds are the figure to trust: the machine was shared, and wall time tells of its load."),
        "",
        ("The company is made up (`tests/bench/million.py`): 60 touchpoints, 150 ordered rules, 40 seats that change hands about every ten weeks "
        "at any hour, two years, a fifth ticket history. DuckDB reads the same events as strings and numbers, a Parquet file a month; ours reads "
        "its store, in which they are coded, and coding is done once, when events come in."),
        "",
        "![CPU seconds by number of events](benchmarks.svg)",
    ]  # fmt: skip
    for point in points:
        lines += ["", f"## {point['events']:,} events", "", *_table(point), "", *_said(point)]
    return "\n".join(lines) + "\n"


def _table(point: Point) -> list[str]:
    lines = ["| job | CPU s | wall s | peak MB | events read |", "| --- | ---: | ---: | ---: | ---: |"]
    for job, about in _JOBS.items():
        best = _best(point, job)
        read = best["said"].get("events_read")
        read = point["events"] if read is None else read
        lines.append(
            f"| {about} | {best['cpu_s']:.1f} | {best['wall_s']:.1f} | {best['peak_mb']} | {read:,} |"
        )
    return lines


def _said(point: Point) -> list[str]:
    ours, naive, expert = (_best(point, job)["cpu_s"] for job in ("tables", "naive", "expert"))
    cells = ", ".join(
        f"{point['differing'][rival]:,} of {point['cells'][rival]:,} cells differ from {rival} (to 1e-9)"
        for rival in ("naive", "expert")
    )
    verified = f"{point['differing']['verify']:,} of {point['cells']['verify']:,} cells differ from everything computed anew"
    lines = [
        f"- Same tables: {ours / naive:.2f} times the CPU of naive, {ours / expert:.2f} times that of expert.",
        f"- Equality: {cells}.",
        f"- After all batches and changes `answerable rebuild --verify`: {verified}.",
    ]  # fmt: skip
    for job in ("run", "owners", "batch"):
        spent = _best(point, job)["said"]["cpu_s_by_stage"]
        lines.append(
            f"- CPU seconds of `{job}` by stage: {', '.join(f'{name} {cost}' for name, cost in spent.items())}."
        )
    warm = _best(point, "warm")["said"]
    by_stage = ", ".join(f"{name} {cost}" for name, cost in warm["cpu_s_by_stage"].items() if name != "start")
    each = ", ".join(map(str, warm["cpu_s_of_each"]))
    lines.append(
        f"- Batches one after the other in a process that stays: {each} CPU seconds; the last by stage: {by_stage}."
    )
    if point["storing"]:
        per_row = 1e6 * point["storing"] / point["events"]
        lines.append(f"- Drawing, coding and storing the events: {per_row:.2f} CPU microseconds a row, once.")
    return lines


def plot(points: Sequence[Point]) -> str:
    """CPU seconds by number of events, both logarithmic, as SVG."""
    sizes = [point["events"] for point in points]
    costs = [_best(point, job)["cpu_s"] for point in points for job in _CURVES]
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
    ends = sorted((y(_best(points[-1], job)["cpu_s"]), job) for job in _CURVES)
    place = 0.0
    for at, job in ends:
        line = " ".join(f"{x(p['events']):.1f},{y(_best(p, job)['cpu_s']):.1f}" for p in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{_CURVES[job]}" stroke-width="2"/>')
        place = max(at + 4, place + 14)
        parts.append(
            f'<text x="{x(sizes[-1]) + 8:.1f}" y="{place:.1f}" fill="{_CURVES[job]}">{job} '
            f"{_best(points[-1], job)['cpu_s']:.1f}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
