"""The data-quality page: feeds, broken rules, how far to believe the numbers. One file, nothing loaded."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from contracts.tables.findings import GRADES
from views.trust import answered, drifts, hands, restated, units
from views.units import change_text, value_text

QUALITY_TABLES = (
    "data_trust",
    "dq_rule_results",
    "metric_trust",
    "who_answered",
    "sampling_sentinel",
    "independence",
    "restatement",
    "dim_metric",
    "dim_touchpoint",
    "dim_seat",
    "dim_team",
    "dim_person",
)
"""Tables that the page is made of."""
LOST = "restatement_lost"
"""What a manifest says under this name: how many rows of restatement were in files that are missing or damaged."""
RESTATED = 15
"""Restated values that are shown, the newest."""
_COLOURS = dict(zip(GRADES, ("#0b6e4f", "#5aa469", "#e0a100", "#b3261e"), strict=True))
_MOODS = {
    "A": "good",
    "B": "good",
    "C": "mild",
    "D": "bad",
    "passed": "good",
    "failed": "bad",
    "error": "bad",
}
_STATES = {"failed": "broken", "error": "could not run", "passed": "within tolerance"}
_BAR_REM = 8

_pages = Environment(
    loader=PackageLoader("views"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters["count"] = lambda value: f"{value:,}"
_pages.filters["name"] = lambda part, names: names.get(part, part)


def quality_page(frames: Mapping[str, pl.DataFrame], manifest: Mapping[str, Any], number: int) -> str:
    """The page.

    Args:
        frames: The tables of `QUALITY_TABLES`, by name; of restatement the newest rows are enough.
        manifest: The release's manifest.
        number: The release's number.
    """
    trust, results = frames["data_trust"], frames["dq_rule_results"]
    graded = last_grades(frames["metric_trust"])
    called = _names(frames)
    feeds = [_feed(row) for row in trust.iter_rows(named=True)]
    broken = broken_rules(results)
    return _pages.get_template("quality.html").render(
        called=called,
        release=number,
        as_of=str(manifest["as_of"])[:16].replace("T", " ") + " UTC",
        sentence=sentence(trust),
        cards=_cards(trust, broken),
        feeds=feeds,
        rules=_rules(broken),
        kept=results.select("feed", "stream", "rule").n_unique() - broken.height,
        grades=_spans(graded),
        graded=graded.height,
        grade_sentence=_grade_sentence(graded),
        trust=[_graded(row) for row in graded.iter_rows(named=True)],
        **_samples(frames, called),
        restated_count=manifest["tables"]["restatement"]["rows"],
        restated_lost=manifest.get(LOST, 0),
    )


def sentence(trust: pl.DataFrame) -> str:
    """The state of the feeds in one sentence."""
    stale = trust.filter("is_stale")["feed"].unique().sort().to_list()
    if not stale:
        return "Every feed came in time."
    if len(stale) == 1:
        return f"Feed {stale[0]} is late or broken: what rests on it is not judged beyond its newest event."
    names = ", ".join(stale)
    return f"Feeds {names} are late or broken: what rests on them is not judged beyond their newest events."


def broken_rules(results: pl.DataFrame) -> pl.DataFrame:
    """Rules that any delivery broke, over all deliveries, the most rows first.

    Returns:
        feed, stream, rule, severity, owner_seat_id, failed, share of all rows, broken and all deliveries
        (counts), state.
    """
    states = ["passed", "failed", "error"]
    of_stream = ["feed", "stream"]
    # A rule that only some deliveries broke, like a line that is no row, was held against all of them.
    whole = (
        results.group_by(*of_stream, "source", "is_held")
        .agg(pl.col("checked_count").max())
        .group_by(of_stream)
        .agg(rows=pl.col("checked_count").sum(), deliveries=pl.len())
    )
    by_rule = results.group_by(*of_stream, "rule").agg(
        pl.col("severity", "owner_seat_id").last(),
        failed=pl.col("failed_count").sum(),
        broken=(pl.col("failed_count") > 0).sum(),
        state=pl.col("state").cast(pl.Enum(states)).to_physical().max(),
    )
    named = pl.lit(pl.Series(states, dtype=pl.String)).gather(pl.col("state"))
    return (
        by_rule.filter(pl.col("failed") > 0)
        .join(whole, on=of_stream)
        .with_columns(state=named, share=pl.col("failed") / pl.col("rows"))
        .sort("failed", *of_stream, "rule", descending=[True, False, False, False])
    )


def last_grades(trust: pl.DataFrame) -> pl.DataFrame:
    """The grades of the last 28 days, the worst first."""
    windows = trust.filter(pl.col("period").cast(pl.String) == "rolling_28d")
    last = windows.filter(pl.col("period_end") == pl.col("period_end").max())
    return last.sort("grade", "touchpoint_id", "metric", descending=[True, False, False])


def share_text(share: float) -> str:
    """A share in percent; one that is there but too small to show is said to be."""
    return "<0.01%" if 0 < share < 0.00005 else f"{share:.2%}"


def _names(frames: Mapping[str, pl.DataFrame]) -> dict[str, dict[str, str]]:
    """What the map calls its parts, by kind and id."""
    named = {kind: frames[f"dim_{kind}"] for kind in ("touchpoint", "seat", "team")}
    told = {kind: frame.select(f"{kind}_id", f"{kind}_name") for kind, frame in named.items()}
    told["person"] = frames["dim_person"].select("owner_id", "owner_name")
    return {kind: dict(frame.iter_rows()) for kind, frame in told.items()}


def _cards(trust: pl.DataFrame, broken: pl.DataFrame) -> list[dict[str, str]]:
    read, waits = int(trust["rows_read"].sum()), int(trust["rows_quarantined"].sum())
    held, stale = int(trust["held_file_count"].sum()), trust.filter("is_stale")["feed"].n_unique()
    share = f" ({waits / read:.2%})" if read else ""
    errors = broken.filter(pl.col("state") == "error").height
    return [
        {"value": f"{read:,}", "label": "rows read", "mood": ""},
        {"value": f"{waits:,}", "label": f"rows in quarantine{share}", "mood": "mild" if waits else "good"},
        {"value": f"{held:,}", "label": "files held", "mood": "bad" if held else "good"},
        {"value": f"{stale:,}", "label": "feeds late or broken", "mood": "bad" if stale else "good"},
        {"value": f"{errors:,}", "label": "rules that could not run", "mood": "bad" if errors else "good"},
    ]


def _feed(row: Mapping[str, Any]) -> dict[str, Any]:
    newest, age = row["newest_event_at"], row["age_hours"]
    if row["is_late"]:
        state, mood = f"late: {age / 24:.1f} days" if age else "never told of an event", "bad"
    elif row["is_stale"]:
        state, mood = "a delivery is held", "bad"
    else:
        state, mood = ("in time", "good") if row["age_max_hours"] else ("no promise", "soft")
    return {**row, "newest": f"{newest:%Y-%m-%d %H:%M}" if newest else "-", "state": state, "mood": mood}


def _rules(broken: pl.DataFrame) -> list[dict[str, Any]]:
    most = broken["failed"].max() or 1
    return [
        {
            **row,
            "share": share_text(row["share"]),
            "width": f"{row['failed'] / most * _BAR_REM:.2f}",
            "mood": "mild" if row["severity"] == "warning" else _MOODS[row["state"]],
            "state": _STATES[row["state"]],
        }
        for row in broken.iter_rows(named=True)
    ]


def _spans(graded: pl.DataFrame) -> list[dict[str, Any]]:
    made, start = [], 0
    for grade in GRADES:
        count = graded.filter(pl.col("grade").cast(pl.String) == grade).height
        if count:
            made.append({"start": start, "count": count, "colour": _COLOURS[grade]})
        start += count
    return made


def _grade_sentence(graded: pl.DataFrame) -> str:
    counted = {grade: graded.filter(pl.col("grade").cast(pl.String) == grade).height for grade in GRADES}
    said = ", ".join(f"{count} {grade}" for grade, count in counted.items() if count)
    numbers = "1 number" if graded.height == 1 else f"{graded.height} numbers"
    return f"{numbers}: {said}." if graded.height else ""


def _samples(frames: Mapping[str, pl.DataFrame], called: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Who was asked and answered, whose hands numbers go through, what was restated."""
    whose = hands(frames["independence"])
    newest, known = restated(frames["restatement"], RESTATED), units(frames["dim_metric"])
    conflicts = sum(row["is_conflict"] for row in whose)
    for row in whose:
        named = (called["team"].get(one) or called["person"].get(one, one) for one in row["judged"])
        row["judged"] = " / ".join(named) or "nobody"
    return {
        "answered": [_answered(row) for row in answered(frames).iter_rows(named=True)],
        "drifts": [_drift(row) for row in drifts(frames["sampling_sentinel"])],
        "hands": whose,
        "conflicts": f"Conflicts: {conflicts}." if conflicts else "No conflict is declared.",
        "restated": [_restated(row, known.get(row["metric"], "")) for row in newest],
    }


def _restated(row: Mapping[str, Any], unit: str) -> dict[str, Any]:
    return {**row, "was": value_text(row["value_was"], unit), "now": value_text(row["value_is"], unit)}


def _answered(row: Mapping[str, Any]) -> dict[str, Any]:
    against, unit = row["held_against"], row["unit"]
    return {
        **row,
        "n_text": "-" if row["n"] is None else f"{row['n']:,}",
        "rate": _with_grade(row["response_rate"], row["response_grade"]),
        "unlike": _with_grade(row["mix_excess"], row["representation_grade"]),
        "response_mood": _MOODS.get(row["response_grade"], "soft"),
        "mix_mood": _MOODS.get(row["representation_grade"], "soft"),
        "against": {"lived": "all there", "asked": "those asked"}.get(against, "not known"),
        "value_text": value_text(row["value"], unit),
        "adjusted": value_text(row["adjusted_value"], unit),
        "change_text": change_text(row["change"], unit),
        "who": change_text(row["change_by_who"], unit),
    }


def _drift(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value_text(row[of], row["unit"]) for name, of in _DRIFT.items()}
    return {**row, **shown, "since": row["drift_since_date"]}


_DRIFT = {"now": "value", "usual": "usual", "low": "usual_low", "high": "usual_high"}


def _with_grade(share: float | None, grade: str | None) -> str:
    return "not known" if share is None else f"{share:.1%} ({grade})"


def _graded(row: Mapping[str, Any]) -> dict[str, Any]:
    half, share = row["half_width"], row["quarantine_share"]
    conflict = row["is_conflicted"]
    return {
        **row,
        "mood": _MOODS[row["grade"]],
        "half": "-" if half is None else f"{half:.1%}",
        "share": "-" if share is None else share_text(share),
        "rate": _with_grade(row["response_rate"], row["response_grade"]),
        "unlike": _with_grade(row["mix_excess"], row["representation_grade"]),
        "hands": "not said" if conflict is None else "conflict" if conflict else "yes",
        "hands_mood": "soft" if conflict is None else "bad" if conflict else "good",
        "weakest": "" if row["grade"] == "A" else row["weakest"],
    }
