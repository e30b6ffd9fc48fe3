"""Rows in quarantine as people see and mend them, and what became of them."""

import json
import sys
from pathlib import Path

import polars as pl

from contracts.errors import FeedError, did_you_mean
from contracts.odcs import SchemaObject
from flows.amending import would_change
from flows.console import progress
from flows.decisions import MENDED_COLUMNS, Decision
from flows.kitchen import Setting, kitchen_of
from flows.run import run_inline
from flows.workspace import LoadedWorkspace
from transforms.quality import quarantine
from views.units import plural
from warehouse.store import EventStore, State

FATES = ("read", "accepted", "quarantined", "duplicate", "dropped")


def waiting(
    workspace: LoadedWorkspace, feed: str | None, stream: str | None, rule: str | None
) -> pl.DataFrame:
    """Rows in quarantine, as the table Quarantine; only of a feed, a stream, a rule."""
    state = _state(workspace)
    own = [d for d in state.deliveries if feed in (None, d.feed) and stream in (None, d.stream)]
    rows = quarantine(own, state.landed)
    return rows if rule is None else rows.filter(pl.col("_reasons").str.split(", ").list.contains(rule))


def with_columns_of(workspace: LoadedWorkspace, feed: str, stream: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in quarantine with what was delivered in a column each, to be mended.

    A line that was no row has empty columns and shows what was delivered as `_raw`.
    """
    names = [p.name for p in _shape(workspace, feed, stream).properties]
    is_row = pl.col("_item") >= 0
    texts = pl.Struct(dict.fromkeys(names, pl.String))
    split = rows.with_columns(pl.when(is_row).then("_raw").str.json_decode(texts).alias("__texts"))
    return split.select(
        *MENDED_COLUMNS,
        "_reasons",
        pl.col("__texts").struct.unnest(),
        pl.when(~is_row).then("_raw").alias("_raw"),
    )


def mended_rows(workspace: LoadedWorkspace, feed: str, stream: str, path: Path) -> pl.DataFrame:
    """A file of mended rows: `MENDED_COLUMNS` and columns of the contract, all as texts.

    Raises:
        FeedError: It cannot be read, lacks a column, has an unknown one, or names a row twice.
    """
    if path.is_dir():
        remedy = "Write it with 'answerable quarantine show --csv'."
        raise FeedError.at(str(path), "is a folder, not a file.", remedy)
    try:
        rows = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        what = f"cannot be read: {str(error).splitlines()[0]}."
        raise FeedError.at(str(path), what, "Write it with 'answerable quarantine show --csv'.") from None
    names = [p.name for p in _shape(workspace, feed, stream).properties]
    for column in (name for name in MENDED_COLUMNS if name not in rows.columns):
        raise FeedError.at(str(path), f"lacks column {column!r}.", "Keep the columns that show --csv writes.")
    known = [*MENDED_COLUMNS, "_reasons", "_raw", *names]
    for column in (name for name in rows.columns if name not in known):
        raise FeedError.at(str(path), f"has column {column!r}.", did_you_mean(column, names))
    if rows.select(MENDED_COLUMNS).is_duplicated().any():
        raise FeedError.at(str(path), "names a row twice.", "Keep one line for every row.")
    hidden = pl.col(*(name for name in names if name in rows.columns)) == "(hidden)"
    kept = rows.with_columns(pl.when(~hidden).then(pl.col(*(n for n in names if n in rows.columns))))
    item = pl.col("_item").cast(pl.Int64, strict=False)
    return kept.with_columns(_item=pl.when(item >= 0).then(item)).drop("_reasons", "_raw", strict=False)


def decide(folder: Path, workspace: LoadedWorkspace, decision: Decision, *, json_: bool) -> None:
    """Run the workspace with a decision, and say what became of the rows. Without anything to do nothing runs.

    Raises:
        NothingChangedError: Nothing is re-admitted or given up.
    """
    before = rows_by_fate(workspace, decision)
    if not _has_effect(workspace, decision):
        if json_:
            _write(decision, None, before, dict.fromkeys(before, 0))
        raise NothingChangedError.at(
            decision.feed,
            "no row in quarantine changes: nothing was published.",
            "See which wait: answerable quarantine show.",
        )
    with progress(quiet=json_) as tell:
        outcome = run_inline(workspace, tell, decision)
    after = rows_by_fate(workspace, decision)
    changed = {name: after[name] - before[name] for name in after}
    if json_:
        _write(decision, outcome.release.number, after, changed)
    else:
        done, word = (
            (changed["accepted"], "re-admitted")
            if decision.what == "replay"
            else (changed["dropped"], "given up")
        )
        said = ", ".join(f"{count:,} {name}" for name, count in after.items())
        release = f"Release {outcome.release.number} in {folder.resolve()}."
        sys.stdout.write(f"{plural(done, 'row')} {word}; now {said}. {release}\n")


def _has_effect(workspace: LoadedWorkspace, decision: Decision) -> bool:
    """Whether any row that waits would be re-admitted or given up."""
    store = EventStore(workspace.warehouse / "store")
    state = store.head()
    setting = Setting(workspace, store, state, decision=decision)
    for feed in (one for one in workspace.feeds if one.name == decision.feed):
        for stream in feed.declared.streams:
            own = [d for d in state.deliveries if (d.feed, d.stream) == (feed.name, stream.name)]
            own = [d for d in own if "rejects" in d.parts and decision.is_about(d)]
            if own:
                kitchen = kitchen_of(setting, feed, stream, state.deliveries)
                if any(would_change(kitchen, one) for one in own):
                    return True
    return False


def _write(decision: Decision, release: int | None, after: dict[str, int], changed: dict[str, int]) -> None:
    told = {"what": decision.what, "release": release, "rows": after, "changed": changed}
    sys.stdout.write(json.dumps(told) + "\n")


class NothingChangedError(FeedError):
    """A replay would re-admit nothing, or a drop finds nothing: nothing was published."""


def rows_by_fate(workspace: LoadedWorkspace, decision: Decision) -> dict[str, int]:
    """What became of every row of the deliveries that a decision may be about."""
    own = [d for d in _state(workspace).deliveries if decision.is_about(d)]
    return {fate: sum(getattr(d, f"rows_{fate}") for d in own) for fate in FATES}


def _shape(workspace: LoadedWorkspace, feed: str, stream: str) -> SchemaObject:
    return next(one for one in workspace.feeds if one.name == feed).shapes[stream]


def _state(workspace: LoadedWorkspace) -> State:
    return EventStore(workspace.warehouse / "store").head()
