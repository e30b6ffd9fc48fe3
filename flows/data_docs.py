"""The newest delivery of every stream as pages of Great Expectations' Data Docs; nothing is kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from contracts.contract_suite import row_expectations, suite
from contracts.errors import FeedError, WorkspaceError
from contracts.gx_polars import Subject
from contracts.gx_polars.docs import DataDocs
from flows.feeds import load as load_kind
from flows.kitchen import Kitchen, Setting, kitchen_of
from flows.validation import known, quiet
from flows.workspace import LoadedWorkspace
from transforms.judge import Found, RowRule, by_masks
from transforms.land import land
from transforms.spelled import DELIVERED, spelled
from warehouse.store import EventStore


@dataclass
class _Page:
    """Judges one delivery and writes its page.

    Attributes:
        docs: The site.
        kitchen: The stream's.
        line: What was found, once it was judged.
    """

    docs: DataDocs
    kitchen: Kitchen
    line: str = ""

    def find(self, rows: pl.DataFrame, rules: Sequence[RowRule]) -> Found:
        recipe = self.kitchen.recipe
        subject = Subject(spelled(rows, recipe.shape, recipe.stream), known(recipe.references))
        made = suite(self.kitchen.where, row_expectations(recipe.shape, DELIVERED))
        found = self.docs.add(self.kitchen.where, made, subject)
        broken = [f"{one.rule} {one.broken:,}" for one in found if one.broken]
        errors = [f"{one.rule} could not run" for one in found if one.state == "error"]
        said = ", ".join([*broken, *errors]) or "nothing broken"
        self.line = f"{len(found)} expectations, {rows.height:,} rows: {said}"
        return by_masks(rows, rules)


def write(workspace: LoadedWorkspace, folder: Path) -> tuple[Path, list[str]]:
    """Judge the newest delivery of every stream and write the pages.

    Args:
        workspace: The workspace.
        folder: Where; pages that stand there already are replaced.

    Returns:
        The first page, and what was found, a stream a line.

    Raises:
        WorkspaceError: The folder holds something else.
    """
    quiet()
    try:
        docs = DataDocs(folder)
    except ValueError as error:
        raise WorkspaceError.at(str(folder), "is not empty and holds no Data Docs.", str(error)) from None
    store = EventStore(workspace.warehouse / "store")
    state = store.head()
    setting, lines = Setting(workspace, store, state), []
    for feed in workspace.feeds:
        for stream in feed.declared.streams:
            kitchen = kitchen_of(setting, feed, stream, state.deliveries)
            lines.append(f"{kitchen.where}: {_judged(docs, kitchen)}")
    return docs.page, lines


def _judged(docs: DataDocs, kitchen: Kitchen) -> str:
    kind = load_kind(kitchen.feed.declared.kind)
    offers = list(kind.offers(kitchen.stream, kitchen.workspace.root))
    if not offers:
        return "no delivery lies there"
    newest, page = max(offers, key=lambda offer: offer.name), _Page(docs, kitchen)
    try:
        reading = kind.read(newest, kitchen.stream, kitchen.recipe.shape)
    except FeedError as error:
        return kitchen.hasher.redact(str(error))
    land(reading, replace(kitchen.recipe, find=page.find), kitchen.hasher, "")
    return f"{newest.name}, {page.line}"
