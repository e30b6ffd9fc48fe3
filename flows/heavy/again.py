"""A crashed run done again: as what it was, from where it came to, and not for ever.

Prefect's automation names the flow run that crashed. What is done again follows those names back to the
first one, whose parameters count; so how often it was tried needs no counter that somebody has to carry.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from contracts.errors import AnswerableError
from contracts.signals import Signal, slug
from flows.landing import FeedLanding
from flows.run import CODE_VERSION, Run
from flows.workspace import load
from transforms.identity import Hasher
from warehouse.files import at_hand
from warehouse.ledger import Ledger
from warehouse.signal_ledger import SignalLedger

ATTEMPTS_MAX = 3
"""How often a run is begun, the first time included."""


class AbandonedError(AnswerableError):
    """A run has crashed as often as it may. Look why, then run again."""


def parameters_of(crashed: str) -> dict[str, Any]:
    """The parameters of the run that a crashed one was meant to be.

    Raises:
        AbandonedError: It has been tried often enough; that is told as a signal.
    """
    tried = _tried(crashed)
    first = tried[-1]
    if len(tried) < ATTEMPTS_MAX:
        return first
    _tell(first["folder"], crashed, len(tried))
    raise AbandonedError.at(
        first["folder"],
        f"crashed {len(tried)} times.",
        "Look at the logs of its flow runs, then run it by hand.",
    )


def _tried(crashed: str) -> list[dict[str, Any]]:
    """Parameters of the runs so far, the last one first; runs are named by ids, or as events name them."""
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    name: str | None = crashed
    with get_client(sync_client=True) as client:
        while name is not None and name not in seen and len(found) <= ATTEMPTS_MAX:
            seen.add(name)
            try:
                found.append(dict(client.read_flow_run(UUID(name.rpartition(".")[2])).parameters))
            except ObjectNotFound:
                message = f"flow run {name}"
                raise AbandonedError.at(message, "is not known any more.", "Run it by hand.") from None
            name = found[-1].get("crashed")
    return found


def _tell(folder: str, crashed: str, attempts: int) -> None:
    workspace = load(Path(folder))
    now = datetime.now(UTC)  # noqa: TID251 - the ledger notes the real time
    gave_up = Signal(
        name="answerable.run.abandoned",
        workspace=slug(workspace.settings.name),
        occurred_at=now,
        key=crashed,
        payload={"attempts": attempts, "flow_run": crashed},
    )
    SignalLedger(Ledger(workspace.warehouse)).add([gave_up], now)


def landing_key(_context: object, parameters: Mapping[str, Any]) -> str | None:
    """What a landing depends on; None where that cannot be told without reading everything.

    A rerun takes the landing of the run that crashed where nothing of this has changed.
    """
    run: Run = parameters["run"]
    names, before = parameters["feeds"], parameters["before"]
    offered: list[tuple[str, int, int]] = []
    for feed in (one for one in run.workspace.feeds if one.name in names):
        if feed.declared.kind != "file":
            return None
        for stream in feed.declared.streams:
            for path in sorted(run.workspace.root.glob(stream.files)):
                found = path.stat()
                if time.time() - found.st_mtime < stream.settle_seconds:  # noqa: TID251 - the file's clock
                    return None
                offered.append((str(path), found.st_size, found.st_mtime_ns))
    settings = run.workspace.settings
    hasher = Hasher(run.workspace.identity_key(), settings.identity.phone_region)
    depends = [
        CODE_VERSION,
        settings.model_dump(mode="json"),
        _texts(run.workspace.root),
        hasher.fingerprint(),
        [delivery.id for delivery in run.store.head().deliveries],
        str(run.window),
        names,
        [delivery.id for landing in before for delivery in landing.deliveries],
        offered,
    ]
    return f"land-{hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:32]}"


def is_whole(run: Run, landings: Sequence[FeedLanding]) -> bool:
    """Whether everything that a landing kept is still there."""
    parts = {part for one in landings for delivery in one.deliveries for part in delivery.parts.values()}
    return all(at_hand(run.store.folder / part).exists() for part in parts)


def _texts(root: Path) -> dict[str, str]:
    """Hashes of the files that say how deliveries are read."""
    paths = sorted(path for folder in ("feeds", "contracts") for path in (root / folder).glob("*.y*ml"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
