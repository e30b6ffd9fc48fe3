"""A workspace read from disk and checked whole: every problem of every file in one report."""

import gc
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.accountability import AccountabilityMap
from contracts.documents import Document, bind, read
from contracts.errors import MapError, Problem, WorkspaceError, did_you_mean
from contracts.feeds import Feed, FeedFile, Stream
from contracts.map_checks import Examined, examine
from contracts.odcs import DataContract
from contracts.tenures import Tenure, instant, tenures
from contracts.workspace import FILE, Workspace
from flows import feeds as feed_kinds
from flows.alert_checks import alert_checks
from flows.contract_checks import contract_checks
from flows.push_checks import push_checks
from flows.workspace_checks import PlacedFeed, PlacedStream, cross_checks, region_known
from warehouse.places import place

IDENTITY_VARIABLE = "ANSWERABLE_IDENTITY_KEY"
DEPLOYED_VARIABLE = "ANSWERABLE_WORKSPACE"
"""What `prefect.yaml` reads a deployment's folder from."""
_PUBLIC_KEY = b"answerable: synthetic or anonymous data only"
_SECRET_MIN = 16
_CLOCK_YEARS = range(1970, 9000)
_AHEAD_MINUTES_MAX = 60 * 24 * 366
_THEIRS = ("map", "feeds", "contracts", "locks", "inbox", ".git")
"""Folders that the user keeps, or that deliveries lie in."""
_PATH_BYTES_MAX = 255


@dataclass(frozen=True)
class LoadedWorkspace:
    """A workspace whose files contradict neither themselves nor each other.

    Attributes:
        root: The folder.
        settings: `answerable.yaml`.
        atlas: The map.
        feeds: The feeds, by name.
        now: The instant it is: the settings' clock, or the real time.
        map_texts: What the map was read from: text by the file's name in `map/`.
    """

    root: Path
    settings: Workspace
    atlas: AccountabilityMap
    feeds: tuple[Feed, ...]
    now: datetime
    map_texts: Mapping[str, str] = field(default_factory=dict)

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


@contextmanager
def _no_collection() -> Generator[None]:
    """Keep the garbage collector still: a map is many small values that all stay (a third of the time)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def folder_of(named: str) -> Path:
    """The folder of a workspace that a deployment names.

    Raises:
        WorkspaceError: It names none: the variable that says so was not set when it was deployed.
    """
    if not named.strip() or "{{" in named:
        raise WorkspaceError.at(
            DEPLOYED_VARIABLE,
            f"was not set when this was deployed: the folder is {named!r}.",
            f"Export ANSWERABLE_HOME and {DEPLOYED_VARIABLE} and deploy again, or use 'answerable deploy FOLDER'.",
        )
    return Path(named)


@_no_collection()
def load(root: Path, now: datetime | None = None) -> LoadedWorkspace:
    """Read and check a workspace.

    Args:
        root: The folder with `answerable.yaml`.
        now: The instant it is; the settings' clock or the real time when absent.

    Raises:
        WorkspaceError: Something in its files is wrong; the error lists everything that is. It is a
            MapError when all of it is in the map.
    """
    problems: list[Problem] = []
    settings, document = _settings(root, problems)
    zone = settings.zone if settings else ZoneInfo("UTC")
    feeds, are_whole = _feeds(root, problems)
    names = [feed.name or "" for feed in feeds] if are_whole else []
    examined, texts = _map(root, zone, names, problems)
    problems += cross_checks(examined, feeds, are_whole=are_whole)
    problems += contract_checks(root, examined, feeds)
    problems += push_checks(feeds)
    if settings is not None and settings.alerts is not None and document is not None:
        is_whole = not examined.problems
        problems += alert_checks(settings.alerts, document, examined.atlas, is_whole=is_whole)
    # Two streams may share a contract, and two checks may meet the same flaw.
    problems = list(dict.fromkeys(problems))
    if problems or settings is None:
        only_map = all(problem.where.startswith("map/") for problem in problems)
        raise (MapError if only_map else WorkspaceError).of(problems)
    clock = instant(settings.clock, zone, datetime.now(UTC))  # noqa: TID251 - the one clock
    loaded = tuple(feed.resolved() for feed in feeds)
    workspace = LoadedWorkspace(root, settings, examined.atlas, loaded, now or clock, texts)
    place(workspace.warehouse, settings.objects)
    return workspace


def _settings(root: Path, problems: list[Problem]) -> tuple[Workspace | None, Document | None]:
    if not (root / FILE).is_file():
        raise WorkspaceError.at(
            str(root),
            f"is no workspace: it has no {FILE}.",
            "Go to one, or make one with 'answerable init FOLDER'.",
        )
    document = _document(root, FILE, problems)
    if document is None:
        return None, None
    settings, found = bind(document, Workspace)
    problems += found
    if settings is not None:
        problems += _settings_checks(root, settings, document)
    return settings, document


def _settings_checks(root: Path, settings: Workspace, document: Document) -> Iterator[Problem]:
    region, ahead = settings.identity.phone_region, settings.expect_future_minutes
    if not region_known(region):
        where = document.where("identity", "phone_region")
        yield Problem(where, f"'phone_region' is {region!r}, which is no region.", "Write a code like 'DE'.")
    if settings.clock and settings.clock.year not in _CLOCK_YEARS:
        what = f"'clock' is {settings.clock.date()}, when there were no events."
        yield Problem(document.where("clock"), what, "Write an instant like 2026-03-01T14:30.")
    if ahead > _AHEAD_MINUTES_MAX:
        what = f"'expect_future_minutes' is {ahead}, more than a year."
        yield Problem(document.where("expect_future_minutes"), what, f"Write at most {_AHEAD_MINUTES_MAX}.")
    if flaw := _warehouse_flaw(root, settings.warehouse):
        what = f"'warehouse' is {settings.warehouse!r}, {flaw}."
        yield Problem(document.where("warehouse"), what, "Write a folder of its own, like 'warehouse'.")


def _warehouse_flaw(root: Path, written: str) -> str:
    """Why a folder cannot be the warehouse, which is swept and written over; empty when it can."""
    if not written.strip() or not written.isprintable() or len(written.encode()) > _PATH_BYTES_MAX:
        return "which names no folder"
    own, place = Path(os.path.realpath(root)), Path(os.path.realpath(root / written))
    if own.is_relative_to(place):
        return "which holds the workspace itself"
    for name in _THEIRS:
        theirs = Path(os.path.realpath(own / name))
        if place.is_relative_to(theirs) or theirs.is_relative_to(place):
            return f"which {'lies in' if place.is_relative_to(theirs) else 'holds'} {name!r}"
    file = next((path for path in (place, *place.parents) if path.is_file()), None)
    return f"but {str(file)!r} is a file" if file else ""


def _map(
    root: Path, zone: ZoneInfo, feeds: list[str], problems: list[Problem]
) -> tuple[Examined, dict[str, str]]:
    found: list[Problem] = []
    documents = list(_documents(root, "map", found))
    if not documents and not found:
        found.append(Problem("map/", "has no YAML file.", "Declare stages, seats and touchpoints there."))
    # Names that may stand in a file that cannot be read are not called unknown.
    examined = examine(documents, zone, feeds, is_whole=not found)
    problems += [*found, *examined.problems]
    return examined, {document.file.removeprefix("map/"): document.text for document in documents}


def _feeds(root: Path, problems: list[Problem]) -> tuple[list[PlacedFeed], bool]:
    """Every feed as far as it can be understood, and whether there can be no others."""
    feeds: list[PlacedFeed] = []
    unread: list[Problem] = []
    seen: dict[str, str] = {}
    for document in _documents(root, "feeds", unread):
        declared, found = bind(document, FeedFile)
        problems += found
        name = document.data.get("feed") if isinstance(document.data, dict) else None
        feed = PlacedFeed(document, declared, name if isinstance(name, str) else None)
        if feed.name in seen:
            what = f"feed {feed.name!r} stands already at {seen[feed.name]}."
            problems.append(
                Problem(document.where("feed"), what, "Put their streams together, or rename one.")
            )
        seen.setdefault(feed.name or "", document.where("feed"))
        if declared and declared.kind not in feed_kinds.names():
            known = did_you_mean(declared.kind, feed_kinds.names())
            problems.append(Problem(document.where("kind"), f"unknown kind {declared.kind!r}.", known))
        feed.streams.extend(_streams(root, document, problems))
        feeds.append(feed)
    problems += unread
    return feeds, not unread and all(feed.name for feed in feeds)


def _streams(root: Path, document: Document, problems: list[Problem]) -> Iterator[PlacedStream]:
    """The streams of one feed that can be read, those of a feed that cannot included."""
    data = document.data if isinstance(document.data, dict) else {}
    written = data.get("streams")
    seen: dict[str, str] = {}
    for index in range(len(written)) if isinstance(written, list) else ():
        stream, _ = bind(document, Stream, within=("streams", index))
        if stream is None:
            continue
        where = document.where("streams", index, "name")
        if stream.name in seen:
            what = f"stream {stream.name!r} stands already at {seen[stream.name]}."
            problems.append(Problem(where, what, "Rename one."))
        seen.setdefault(stream.name, where)
        placed = PlacedStream(stream, document, index)
        _resolve_contract(root, placed, problems)
        yield placed


def _resolve_contract(root: Path, placed: PlacedStream, problems: list[Problem]) -> None:
    """Find the contract that a stream names and the schema of its rows in it."""
    file, _, wanted = placed.stream.contract.partition("#")
    where = placed.at("contract")
    if not (root / file).is_file():
        problems.append(Problem(where, f"contract {file!r} does not exist.", "Write it, or mend the path."))
        return
    document = _document(root, file, problems)
    if document is None:
        return
    contract, found = bind(document, DataContract)
    problems += found
    if contract is None:
        return
    names = [shape.name for shape in contract.schema_]
    if not wanted and len(names) == 1:
        wanted = names[0]
    if wanted not in names:
        what = f"{file} has no schema {wanted!r}." if wanted else f"{file} has {len(names)} schemas."
        remedy = did_you_mean(wanted, names) if wanted else f"Write {file}#{names[0]} or another of them."
        problems.append(Problem(where, what, remedy))
        return
    placed.resolve(document, contract, names.index(wanted))


def _documents(root: Path, folder: str, problems: list[Problem]) -> Iterator[Document]:
    paths: Iterable[Path] = sorted((root / folder).glob("*.y*ml"))
    for path in paths:
        document = _document(root, f"{folder}/{path.name}", problems)
        if document is not None:
            yield document
    for path in sorted((root / folder).glob("*/**/*.y*ml")):
        below = str(path.relative_to(root))
        problems.append(Problem(f"{below}:1", "is not read: it lies too deep.", f"Move it to {folder}/."))


def _document(root: Path, name: str, problems: list[Problem]) -> Document | None:
    """One file as YAML; None when it is none."""
    text = _text(root / name, name, problems)
    if text is None:
        return None
    document, found = read(text, name)
    problems += found
    return None if found and document.data is None else document


def _text(path: Path, name: str, problems: list[Problem]) -> str | None:
    if path.is_fifo():  # reading it would wait for somebody who writes
        problems.append(
            Problem(f"{name}:1", "is no file but a pipe.", "Put the file itself there, or remove it.")
        )
        return None
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.append(Problem(f"{name}:{line}", f"is not UTF-8: {error.reason}.", "Save it as UTF-8."))
    except OSError as error:
        problems.append(
            Problem(f"{name}:1", f"cannot be read: {error.strerror}.", "Make it a readable file.")
        )
    return None
