"""What a change of the map would do, as files that other tools read: Markdown, JSON, SARIF, JUnit."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from contracts.map_change import Gap, MapChange
from contracts.workspace import FILE
from views.map_change import (
    LADDER_HEADS,
    LOAD_HEADS,
    SHOWN_MAX,
    flip_text,
    headline,
    holder_text,
    judged_text,
    load_row,
    open_text,
    rung_row,
    when_text,
)
from views.units import value_text

Abouts = Mapping[str, tuple[str, str]]
"""What every rule of the audit looks for, and how bad it is, by name."""
_LEVELS = {"critical": "error", "warning": "warning", "info": "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_json(change: MapChange) -> str:
    """The whole change."""
    return json.dumps(change.as_dict(), indent=1, ensure_ascii=False) + "\n"


def markdown(change: MapChange) -> str:
    """The change as a comment on a pull request: GitHub's Markdown, sections without anything left out."""
    return "\n".join(_markdown_lines(change)) + "\n"


def sarif(change: MapChange, abouts: Abouts, version: str, below: str) -> str:
    """The new map's gaps as SARIF 2.1.0 (OASIS 2020), for code scanning and viewers.

    Args:
        change: What the change would do.
        abouts: The audit's rules.
        version: Of this program.
        below: Where the workspace stands in its repository, with a slash behind it; empty for its root.

    Returns:
        One run. `baselineState` says which gaps are new; a gap that has no place in the map points at the
        workspace's settings.
    """
    names = list(abouts)
    results = [
        _result(gap, names.index(gap.rule), below) for gap in change.gaps if gap.status in ("new", "known")
    ]
    driver = {
        "name": "Answerable",
        "version": version,
        "rules": [_rule(name, *abouts[name]) for name in names],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def junit(change: MapChange) -> str:
    """The new map's gaps as JUnit XML: a new gap fails, a known one is skipped, none at all is one success."""
    gaps = [gap for gap in change.gaps if gap.status in ("new", "known")]
    counts = {
        "tests": str(len(gaps) or 1),
        "failures": str(len(change.gaps_that("new"))),
        "errors": "0",
        "skipped": str(len(change.gaps_that("known"))),
    }
    root = Element("testsuites", {"name": "answerable map diff", **counts})
    suite = SubElement(root, "testsuite", {"name": f"{change.base} to {change.head}", **counts})
    if not gaps:
        SubElement(suite, "testcase", {"classname": "audit", "name": "no gap"})
    for gap in gaps:
        case = SubElement(suite, "testcase", {"classname": gap.rule, "name": gap.object_id})
        if gap.status == "known":
            SubElement(case, "skipped", {"message": _printable(gap.sentence)})
        else:
            failure = {"message": _printable(gap.sentence), "type": gap.severity}
            where = f"{gap.declared_at}: " if gap.declared_at else ""
            SubElement(case, "failure", failure).text = _printable(f"{where}{gap.sentence} {gap.remedy}")
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or c.isprintable())


def _rule(name: str, about: str, severity: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": about},
        "defaultConfiguration": {"level": _LEVELS[severity]},
    }


def _result(gap: Gap, index: int, below: str) -> dict[str, Any]:
    file, _, line = (gap.declared_at or "").rpartition(":")
    placed = bool(file) and line.isdigit()
    place = {
        "artifactLocation": {"uri": quote(below + (file if placed else FILE)), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": int(line) if placed else 1},
    }
    return {
        "ruleId": gap.rule,
        "ruleIndex": index,
        "level": _LEVELS[gap.severity],
        "message": {"text": f"{gap.sentence} {gap.remedy}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"answerableGap/v1": "/".join(gap.key)},
        "baselineState": "new" if gap.status == "new" else "unchanged",
        "properties": {"events": gap.events, "customers": gap.customers, "severity": gap.severity},
    }


def _markdown_lines(change: MapChange) -> Iterator[str]:
    yield "### What this change of the map would do"
    yield from ("", _no_html(headline(change)))
    for title, heads, rows in _sections(change):
        if not rows:
            continue
        yield from ("", f"**{title}**", "")
        yield f"| {' | '.join(heads)} |"
        yield f"| {' | '.join('---' for _ in heads)} |"
        yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows[:SHOWN_MAX])
        if len(rows) > SHOWN_MAX:
            yield from ("", f"and {len(rows) - SHOWN_MAX:,} more.")


def _cell(text: str) -> str:
    return _no_html(text).replace("|", "\\|").replace("\n", " ")


def _no_html(text: str) -> str:
    """A text of which Markdown makes no tags; `->` stays readable as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _sections(change: MapChange) -> Iterator[tuple[str, Sequence[str], list[Sequence[str]]]]:
    yield (
        "New gaps",
        ("severity", "finding", "remedy", "events", "customers"),
        [_gap_row(gap) for gap in change.gaps_that("new")],
    )
    yield (
        "Closed gaps",
        ("severity", "finding", "remedy", "events", "customers"),
        [_gap_row(gap) for gap in change.gaps_that("closed")],
    )
    yield (
        "Touchpoints that change hands",
        (
            "touchpoint",
            "when",
            "before",
            "after",
            "events credited otherwise",
            "customers",
            "events at stake",
            "open, to be handed over",
        ),
        [
            (
                move.name,
                when_text(change, move),
                holder_text(move.before),
                holder_text(move.after),
                f"{move.events:,}",
                f"{move.customers:,}",
                f"{move.window_events:,}",
                open_text(move),
            )
            for move in change.moves_that_matter
        ],
    )
    yield (
        "Events that go to another touchpoint",
        ("before", "after", "events", "customers"),
        [
            (one.touchpoint_before, one.touchpoint_after, f"{one.events:,}", f"{one.customers:,}")
            for one in change.reroutes
        ],
    )
    yield (
        "Verdicts that turn",
        ("of", "metric", "before", "after"),
        [
            (
                flip_text(flip),
                flip.metric,
                judged_text(flip.before, flip.unit),
                judged_text(flip.after, flip.unit),
            )
            for flip in change.flips
        ],
    )
    yield (
        f"What everybody answers for, as of {change.local(change.settled_at):%Y-%m-%d}",
        LOAD_HEADS,
        [load_row(load) for load in change.loads],
    )
    yield (
        "Scores that change, and how much of it is earned",
        ("person", "metric", "before", "after", "earned"),
        [
            (
                one.owner,
                one.metric,
                *(value_text(value, one.unit) for value in (one.before, one.after, one.earned)),
            )
            for one in change.scores
        ],
    )
    yield (
        "Where accountability ends",
        LADDER_HEADS,
        [rung_row(rung) for rung in change.rungs_that_move],
    )


def _gap_row(gap: Gap) -> Sequence[str]:
    return gap.severity, gap.sentence, gap.remedy, f"{gap.events:,}", f"{gap.customers:,}"
