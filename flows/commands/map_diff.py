"""`answerable map diff`."""

import json
import re
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from contracts.errors import NewGapError, Problem, WorkspaceError
from contracts.map_change import MapChange
from contracts.workspace import FILE
from flows.outputs import writing_to
from flows.revisions import Place, merge_base, prefix, revision

Format = Literal["terminal", "markdown", "json", "sarif", "junit"]
_WINDOW = re.compile(r"^(\d{1,5})([dw])$")
_DAYS = {"d": 1, "w": 7}
BASELINE_VERSION = 1


def map_diff(  # noqa: PLR0913 - each is an option of the command
    base: str,
    head: str | None = None,
    *,
    folder: Path | None = None,
    window: str = "90d",
    format_: Format = "terminal",
    baseline: Path | None = None,
    write_baseline: bool = False,
    fail_on: Literal["critical", "warning", "info"] = "warning",
    json_: bool = False,
) -> None:
    """Say what a change of the map would do, before it is merged.

    Matches and credits the events of the window under both maps: touchpoints that change hands, events and
    customers credited to another person, verdicts that turn, everybody's load and score, gaps of the audit.
    Nothing is published or written.

    Ends with exit code 8 when the change opens gaps: gaps that the old map did not have, or, with
    --baseline, that the baseline does not name. Old gaps never fail it, so it can be switched on at once.

    Example: answerable map diff origin/main...HEAD --window 90d --format markdown

    Args:
        base: BASE..HEAD, two revisions; BASE...HEAD, from where they parted; BASE, a revision against the
            files as they lie; or a folder, with the second one as HEAD.
        head: A revision or a folder, when BASE is only the first of the two.
        folder: The workspace whose events count; the present folder, or the second of two folders.
        window: How far back consequences are counted: 90d, 12w.
        format_: terminal; markdown for a comment; json; sarif for code scanning; junit for test reports.
        baseline: A file of accepted gaps: only others fail.
        write_baseline: Write the new map's gaps to the baseline file, and accept them.
        fail_on: Least severity of a new gap that fails.
        json_: The same as --format json.
    """
    days = _window_days(window)
    if write_baseline and baseline is None:
        raise WorkspaceError.at("--write-baseline", "has no file to write.", "Add '--baseline FILE'.")
    home = folder or _home(base, head)
    with _places(base, head, home) as (old, new):
        change = _change(old, new, home, days, None if write_baseline else baseline)
    if write_baseline and baseline is not None:
        _write_baseline(baseline, change)
        return
    _print(change, "json" if json_ else format_, home)
    if failing := change.failing(fail_on):
        raise NewGapError.of(
            Problem(gap.declared_at or gap.object_id, f"{gap.sentence} ({gap.rule})", gap.remedy)
            for gap in failing
        )


def _window_days(window: str) -> int:
    found = _WINDOW.match(window)
    if found is None or not int(found[1]):
        raise WorkspaceError.at("--window", f"{window!r} is no length of time.", "Write it like 90d or 12w.")
    return int(found[1]) * _DAYS[found[2]]


def _is_workspace(name: str) -> bool:
    return (Path(name) / FILE).is_file()


def _home(base: str, head: str | None) -> Path:
    """The workspace whose events count when none is named."""
    named = [name for name in (head, base) if name and _is_workspace(name)]
    return Path(named[0]) if head and named else Path()


@contextmanager
def _places(base: str, head: str | None, home: Path) -> Generator[tuple[Place, Place]]:
    one, other = base, head
    if head is None and not _is_workspace(base):
        one, dots, other = base.partition("...") if "..." in base else base.partition("..")
        if dots and not (one and other):
            raise WorkspaceError.at(base, "names only one revision.", "Write BASE..HEAD, or BASE alone.")
        if dots == "...":
            one = merge_base(home, one, other)
    with _place(one, home) as old, _place(other or str(home), home) as new:
        yield old, new


@contextmanager
def _place(name: str, home: Path) -> Generator[Place]:
    if _is_workspace(name):
        yield Place(name, Path(name))
        return
    with revision(home, name) as place:
        yield place


def _change(old: Place, new: Place, home: Path, days: int, baseline: Path | None) -> MapChange:
    from flows.whatif import map_change  # noqa: PLC0415 - loads polars
    from flows.workspace import load  # noqa: PLC0415
    from warehouse.store import EventStore  # noqa: PLC0415

    known = None if baseline is None else _read_baseline(baseline)
    after = load(new.folder)
    before = load(old.folder, after.now)
    warehouse = load(home).warehouse
    state = EventStore(warehouse / "store").head()
    change = map_change(before, after, state, days, (old.name, new.name), known)
    return change.with_alerts(_open_alerts(warehouse))


def _open_alerts(warehouse: Path) -> dict[str, int]:
    """Alerts that are open now, by touchpoint."""
    from warehouse.alert_ledger import AlertLedger  # noqa: PLC0415 - loads SQLAlchemy
    from warehouse.ledger import Ledger, has_ledger  # noqa: PLC0415

    if not has_ledger(warehouse):
        return {}
    with AlertLedger(Ledger(warehouse)).reading() as book:
        keys = [one.key for one in book.episodes(only_open=True)]
    return Counter(key.scope for key in keys if key.scope_type == "touchpoint")


def _read_baseline(path: Path) -> list[tuple[str, str, str]]:
    remedy = "Write one with '--baseline FILE --write-baseline'."
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return [(gap["rule"], gap["object_type"], gap["object_id"]) for gap in told["gaps"]]
    except OSError as error:
        raise WorkspaceError.at(str(path), f"cannot be read: {error.strerror}.", remedy) from None
    except (ValueError, KeyError, TypeError):
        raise WorkspaceError.at(str(path), "is no baseline.", remedy) from None


def _write_baseline(path: Path, change: MapChange) -> None:
    standing: list[dict[str, Any]] = [
        {
            "rule": gap.rule,
            "object_type": gap.object_type,
            "object_id": gap.object_id,
            "sentence": gap.sentence,
        }
        for gap in sorted(change.gaps, key=lambda gap: gap.key)
        if gap.status != "closed"
    ]
    told = {"version": BASELINE_VERSION, "gaps": standing}
    with writing_to(path):
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path}: {len(standing)} gaps accepted.\n")


def _print(change: MapChange, format_: Format, home: Path) -> None:
    if format_ == "terminal":
        from flows.console import out  # noqa: PLC0415
        from views.map_change import terminal  # noqa: PLC0415

        for part in terminal(change):
            out.print(part)
        return
    from views import map_change_files  # noqa: PLC0415

    if format_ == "sarif":
        from flows.run import CODE_VERSION  # noqa: PLC0415
        from transforms.audit import RULES  # noqa: PLC0415

        abouts = {rule.name: (rule.find.__doc__ or rule.name, rule.severity) for rule in RULES}
        text = map_change_files.sarif(change, abouts, CODE_VERSION, _shown_below(home))
    else:
        writers = {
            "markdown": map_change_files.markdown,
            "json": map_change_files.as_json,
            "junit": map_change_files.junit,
        }
        text = writers[format_](change)
    sys.stdout.write(text)


def _shown_below(home: Path) -> str:
    """Where the workspace stands in its repository; nothing when it is in none."""
    try:
        return prefix(home)
    except WorkspaceError:
        return ""
