"""Released contracts, frozen in `locks/`: what a version said, whatever its file says today."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.contract_diff import Change, bump_of, changes, is_enough, needed, raised
from contracts.errors import Problem, WorkspaceError
from contracts.odcs import DataContract
from flows.workspace import LoadedWorkspace

FOLDER = "locks"
Values = dict[str, Any]


def plain(contract: DataContract) -> Values:
    """A contract as plain values, as it is frozen: what it says, defaults left out."""
    return json.loads(contract.model_dump_json(by_alias=True, exclude_defaults=True))


def contracts_of(workspace: LoadedWorkspace) -> dict[str, DataContract]:
    """The workspace's contracts, by id.

    Raises:
        WorkspaceError: Two different contracts share an id.
    """
    found: dict[str, DataContract] = {}
    for feed in workspace.feeds:
        for contract in feed.contracts.values():
            if found.setdefault(contract.id, contract) != contract:
                what = "is the id of two contracts."
                raise WorkspaceError.at(contract.id, what, "Give each an id of its own.")
    return dict(sorted(found.items()))


def released(root: Path, contract: str) -> Values | None:
    """The newest frozen version of a contract; None before the first.

    Raises:
        WorkspaceError: A lock is damaged.
    """
    every = [values for values in _locks(root) if values["id"] == contract]
    return max(every, key=lambda values: _order(values["version"]), default=None)


def differences(workspace: LoadedWorkspace) -> Iterator[tuple[DataContract, Values | None, list[Change]]]:
    """Every contract with its newest released version and what changed since."""
    for name, contract in contracts_of(workspace).items():
        before = released(workspace.root, name)
        yield contract, before, [] if before is None else changes(before, plain(contract))


def wrong_versions(workspace: LoadedWorkspace) -> list[Problem]:
    """Contracts that changed by more than their version says."""
    return [
        _too_little(contract, before["version"], found)
        for contract, before, found in differences(workspace)
        if before is not None and not is_enough(before["version"], contract.version, needed(found, "input"))
    ]


def _too_little(contract: DataContract, was: str, found: list[Change]) -> Problem:
    now, bump = contract.version, needed(found, "input")
    made = bump_of(was, now)
    if made is None:
        what = f"version {now} is not after {was}, which is frozen."
        return Problem(contract.id, what, f"Write version {raised(was, bump)}.")
    said = "the same as" if made == "none" else f"a {made} version after"
    worst = next(change for change in found if change.bump("input") == bump)
    what = f"version {now} is {said} {was}, but what changed asks for a {bump} version."
    remedy = f"Write version {raised(was, bump)} (for {worst.path}: {worst.what}), or undo the change."
    return Problem(contract.id, what, remedy)


def lock(workspace: LoadedWorkspace) -> list[Path]:
    """Freeze every contract whose version is not frozen yet.

    Returns:
        The files written.

    Raises:
        WorkspaceError: A contract changed by more than its version says.
    """
    if problems := wrong_versions(workspace):
        raise WorkspaceError.of(problems)
    written = []
    for contract in contracts_of(workspace).values():
        path = workspace.root / FOLDER / f"{file_name(contract)}@{contract.version}.json"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(plain(contract), indent=1, sort_keys=True) + "\n", encoding="utf-8")
            written.append(path)
    return written


def file_name(contract: DataContract) -> str:
    """A contract's id as part of a file's name."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in contract.id)


def _locks(root: Path) -> Iterator[Values]:
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            _ = values["id"], values["version"], values["schema"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"is no frozen contract: {error!r}."
            raise WorkspaceError.at(str(path.relative_to(root)), what, "Restore it from git.") from None
        yield values


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
