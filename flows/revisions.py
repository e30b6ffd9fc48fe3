"""Workspaces as git has them: read with git's own commands, never checked out."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts.errors import WorkspaceError
from contracts.workspace import FILE

_READ = (".yaml", ".yml", ".json")
"""What a map, a feed and a contract are written in; data is not read."""
_LINK = "120000"


@dataclass(frozen=True)
class Place:
    """One side of a comparison.

    Attributes:
        name: What it is called: a revision as it was written, or a folder.
        folder: Where its files are.
        commit: Its commit; None for files as they lie.
    """

    name: str
    folder: Path
    commit: str | None = None


@contextmanager
def revision(folder: Path, name: str) -> Generator[Place]:
    """A workspace as one revision has it, in a folder of its own for as long as it is needed.

    Args:
        folder: The workspace, somewhere in a git repository.
        name: What git calls the revision: a branch, a tag, a commit, `HEAD~3`.

    Raises:
        WorkspaceError: There is no such revision, or no workspace in it.
    """
    commit = commit_of(folder, name)
    with TemporaryDirectory(prefix="answerable-") as made:
        target = Path(made)
        _extract(folder, name, commit, target)
        if not (target / FILE).is_file():
            what = f"has no {FILE} below {prefix(folder) or 'its root'}"
            raise WorkspaceError.at(name, f"{what}.", "Name a revision in which the workspace stands there.")
        yield Place(name, target, commit)


def commit_of(folder: Path, name: str) -> str:
    """The commit that a revision's name stands for."""
    asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    found = _git(folder, *asked, check=False).strip().decode()
    if not found:
        remedy = "Name a branch, tag or commit; in a shallow clone fetch it first (git fetch origin main)."
        raise WorkspaceError.at(str(folder), f"git knows no revision {name!r}.", remedy)
    return found


def merge_base(folder: Path, one: str, other: str) -> str:
    """The commit that two revisions have grown from."""
    commits = commit_of(folder, one), commit_of(folder, other)
    found = _git(folder, "merge-base", *commits, check=False).strip().decode()
    if not found:
        remedy = f"Write {one}..{other} to compare them as they are, or fetch their history."
        raise WorkspaceError.at(str(folder), f"{one!r} and {other!r} have no commit in common.", remedy)
    return found


def prefix(folder: Path) -> str:
    """Where a folder stands in its repository, with a slash behind it; empty for the root.

    Raises:
        WorkspaceError: The folder is in no git repository.
    """
    return _git(folder, "rev-parse", "--show-prefix").decode().strip("\n")


def _extract(folder: Path, name: str, commit: str, target: Path) -> None:
    """Write the revision's files, byte by byte as they were committed."""
    tree = f"{commit}:{prefix(folder)}"
    listed = _git(folder, "ls-tree", "-r", "-z", "--full-tree", tree, check=False).decode().split("\0")
    wanted = []
    for line in filter(None, listed):
        (mode, kind, blob), path = line.split("\t")[0].split(), line.split("\t", 1)[1]
        if kind != "blob" or not path.endswith(_READ):
            continue
        if mode == _LINK:
            remedy = "Commit the file itself, or compare two folders."
            raise WorkspaceError.at(f"{name}:{path}", "is a symbolic link, which is not followed.", remedy)
        wanted.append((blob, path))
    for path, content in _contents(folder, wanted):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)


def _contents(folder: Path, wanted: list[tuple[str, str]]) -> Generator[tuple[str, bytes]]:
    """Every file's path and bytes: git answers each with a line `<id> blob <size>` and what follows."""
    told = _git(folder, "cat-file", "--batch", given="".join(f"{blob}\n" for blob, _ in wanted).encode())
    at = 0
    for _, path in wanted:
        end = told.index(b"\n", at)
        size = int(told[at:end].split()[2])
        yield path, told[end + 1 : end + 1 + size]
        at = end + size + 2


def _git(folder: Path, *words: str, check: bool = True, given: bytes | None = None) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and revisions only as one argument each
            ["git", "-C", str(folder), *words],  # noqa: S607 - the user's own git
            capture_output=True,
            check=False,
            input=given,
        )
    except FileNotFoundError:
        remedy = "Install git, or compare two folders."
        raise WorkspaceError.at(
            str(folder), "git is not installed, so revisions cannot be read.", remedy
        ) from None
    if check and done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        remedy = "Compare two folders, or run it where the workspace is in git."
        raise WorkspaceError.at(
            str(folder), f"git cannot read it: {said[0] if said else 'no answer'}.", remedy
        )
    return done.stdout
