"""Which warehouse's folder is a cache of which place in an object store, as the workspaces' settings say."""

from pathlib import Path

PLACES: dict[Path, str] = {}


def place(folder: Path, url: str | None) -> None:
    """Say of which place a warehouse's folder is a cache; of none when it is all there is.

    Args:
        folder: The folder.
        url: `s3://bucket/prefix`.
    """
    if url:
        PLACES[folder.absolute()] = url.rstrip("/")
    elif PLACES:
        PLACES.pop(folder.absolute(), None)
