"""A workspace read from disk and checked whole: every problem of every file in one report."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contracts.accountability import AccountabilityMap
from contracts.documents import Document, bind, parse
from contracts.errors import Problem, WorkspaceError, did_you_mean
from contracts.feeds import Feed, FeedFile, Stream
from contracts.map_checks import assemble
from contracts.odcs import DataContract, SchemaObject
from contracts.tenures import Tenure, instant, tenures
from contracts.workspace import FILE, Workspace
from flows import feeds as feed_kinds

IDENTITY_VARIABLE = "ANSWERABLE_IDENTITY_KEY"
_PUBLIC_KEY = b"answerable: synthetic or anonymous data only"
_SECRET_MIN = 16


@dataclass(frozen=True)
class LoadedWorkspace:
    """A workspace whose files contradict neither themselves nor each other.

    Attributes:
        root: The folder.
        settings: `answerable.yaml`.
        atlas: The map.
        feeds: The feeds, by name.
        now: The instant it is: the settings' clock, or the real time.
    """

    root: Path
    settings: Workspace
    atlas: AccountabilityMap
    feeds: tuple[Feed, ...]
    now: datetime

    @property
    def warehouse(self) -> Path:
        """The folder of everything the product makes."""
        return self.root / self.settings.warehouse

    @property
    def tenures(self) -> list[Tenure]:
        """Who is accountable when."""
        return tenures(self.atlas)

    def identity_key(self) -> bytes:
        """The secret that people are hashed with.

        Raises:
            WorkspaceError: The workspace asks for one and the environment has none.
        """
        if self.settings.identity.key == "public":
            return _PUBLIC_KEY
        secret = os.environ.get(IDENTITY_VARIABLE, "").encode()
        if len(secret) < _SECRET_MIN:
            raise WorkspaceError.at(
                IDENTITY_VARIABLE,
                f"is not set, or shorter than {_SECRET_MIN} characters; people could not be hashed.",
                f"Set it once and keep it: export {IDENTITY_VARIABLE}=$(openssl rand -hex 32). "
                "For synthetic or anonymous data write 'identity: {key: public}' in answerable.yaml.",
            )
        return secret


def load(root: Path, now: datetime | None = None) -> LoadedWorkspace:
    """Read and check a workspace.

    Args:
        root: The folder with `answerable.yaml`.
        now: The instant it is; the settings' clock or the real time when absent.

    Raises:
        WorkspaceError: Something in its files is wrong; the error lists everything that is.
    """
    settings = _settings(root)
    problems: list[Problem] = []
    feeds = tuple(_feeds(root, problems))
    atlas = _map(root, settings, feeds, problems)
    if problems:
        raise WorkspaceError.of(problems)
    # Imported here: it loads polars, and half of all problems are found before.
    from flows.workspace_checks import cross_checks  # noqa: PLC0415

    problems = list(cross_checks(atlas, feeds))
    if problems:
        raise WorkspaceError.of(problems)
    clock = instant(settings.clock, settings.zone, datetime.now(UTC))  # noqa: TID251 - the one clock
    return LoadedWorkspace(root, settings, atlas, feeds, now or clock)


def _settings(root: Path) -> Workspace:
    path = root / FILE
    if not path.is_file():
        raise WorkspaceError.at(
            str(root),
            f"is no workspace: it has no {FILE}.",
            "Go to one, or make one with 'answerable init FOLDER'.",
        )
    settings, problems = bind(parse(_text(path), FILE), Workspace)
    if settings is None:
        raise WorkspaceError.of(problems)
    return settings


def _map(
    root: Path, settings: Workspace, feeds: tuple[Feed, ...], problems: list[Problem]
) -> AccountabilityMap:
    documents = list(_documents(root, "map", problems))
    if not documents and not problems:
        problems.append(Problem("map/", "has no YAML file.", "Declare stages, seats and touchpoints there."))
    if problems:
        return AccountabilityMap(zone=settings.zone)
    try:
        return assemble(documents, settings.zone, [feed.name for feed in feeds])
    except WorkspaceError as error:
        problems.extend(error.problems)
        return AccountabilityMap(zone=settings.zone)


def _feeds(root: Path, problems: list[Problem]) -> Iterator[Feed]:
    seen: dict[str, str] = {}
    for document in _documents(root, "feeds", problems):
        declared, found = bind(document, FeedFile)
        problems.extend(found)
        if declared is None:
            continue
        if declared.feed in seen:
            there = seen[declared.feed]
            problems.append(
                Problem(document.where("feed"), f"feed {declared.feed!r} stands already in {there}.")
            )
        seen[declared.feed] = document.file
        if declared.kind not in feed_kinds.names():
            known = did_you_mean(declared.kind, feed_kinds.names())
            problems.append(Problem(document.where("kind"), f"unknown kind {declared.kind!r}.", known))
        contracts, shapes = {}, {}
        for index, stream in enumerate(declared.streams):
            where = document.where("streams", index, "contract")
            resolved = _contract(root, stream, where, problems)
            if resolved is not None:
                contracts[stream.name], shapes[stream.name] = resolved
        yield Feed(declared=declared, contracts=contracts, shapes=shapes, origin=document.file)


def _contract(
    root: Path, stream: Stream, where: str, problems: list[Problem]
) -> tuple[DataContract, SchemaObject] | None:
    file, _, wanted = stream.contract.partition("#")
    path = root / file
    if not path.is_file():
        problems.append(Problem(where, f"contract {file!r} does not exist.", "Write it, or mend the path."))
        return None
    try:
        contract, found = bind(parse(_text(path), file), DataContract)
    except WorkspaceError as error:
        problems.extend(p for p in error.problems if p not in problems)
        return None
    problems.extend(problem for problem in found if problem not in problems)
    if contract is None:
        return None
    names = [shape.name for shape in contract.schema_]
    if not wanted and len(names) == 1:
        return contract, contract.schema_[0]
    if wanted not in names:
        problems.append(Problem(where, f"{file} has no schema {wanted!r}.", did_you_mean(wanted, names)))
        return None
    return contract, contract.schema_[names.index(wanted)]


def _documents(root: Path, folder: str, problems: list[Problem]) -> Iterator[Document]:
    paths: Iterable[Path] = sorted((root / folder).glob("*.y*ml"))
    for path in paths:
        try:
            yield parse(_text(path), f"{folder}/{path.name}")
        except WorkspaceError as error:
            problems.extend(error.problems)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise WorkspaceError.at(
            f"{path.name}:1", f"is not UTF-8: {error.reason}.", "Save it as UTF-8."
        ) from None
