"""Signals on their way to Prefect: out of the ledger, as events of their own ids.

They are handed to the server's API instead of to `emit_event`, which answers before anything is sent and
loses what a server that is down does not take. Taken is not kept, though: a server that is killed forgets
what it took a moment ago. So each is read back before it counts as told, and emitted again until it is.
"""

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.errors import StoreError
from warehouse.signal_ledger import SignalLedger

URL = "PREFECT_API_URL"
KEY = "PREFECT_API_KEY"
AUTH = "PREFECT_API_AUTH_STRING"
_SECONDS = 10.0
_BATCH = 50


@dataclass(frozen=True)
class Emitted:
    """What one call did.

    Attributes:
        emitted: Signals that the server took.
        confirmed: Signals that were read back.
        error: Why it stopped; None when it did not.
    """

    emitted: int = 0
    confirmed: int = 0
    error: str | None = None


def emit(
    ledger: SignalLedger,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251 - the one real clock
) -> Emitted:
    """Emit what is due and read back what was emitted; without a Prefect server nothing is done.

    Args:
        ledger: Where signals are kept.
        environment: Where Prefect's address and key are.
        clock: The real time.

    Returns:
        What was done. A server or a ledger that fails never fails the caller: it is tried again.
    """
    url = environment.get(URL)
    if not url:
        return Emitted()
    import httpx  # noqa: PLC0415 - most runs have no server

    from flows.channels._http import trusted  # noqa: PLC0415 - imports httpx

    emitted = confirmed = 0
    try:
        if not ledger.has_work():
            return Emitted()
        ledger.expire(clock())
        with httpx.Client(
            base_url=url, headers=headers(environment), timeout=_SECONDS, verify=trusted()
        ) as client:
            confirmed += _confirm(ledger, client)
            while due := ledger.claim(clock(), _BATCH):
                client.post("/events", json=[one.event for one in due]).raise_for_status()
                ledger.note_emitted([one.id for one in due], clock())
                emitted += len(due)
    except (httpx.HTTPError, httpx.InvalidURL, StoreError, ValueError) as error:
        return Emitted(emitted, confirmed, f"{type(error).__name__}: {error}"[:300])
    return Emitted(emitted, confirmed)


def _confirm(ledger: SignalLedger, client: Any) -> int:  # noqa: ANN401 - httpx is imported late
    """Read back what was emitted."""
    ids = ledger.unconfirmed(_BATCH)
    if not ids:
        return 0
    asked = {"filter": {"id": {"id": ids}, "occurred": {"since": "2020-01-01T00:00:00Z"}}, "limit": _BATCH}
    answer = client.post("/events/filter", json=asked).raise_for_status().json()
    seen = [one["id"] for one in answer["events"] if one["id"] in set(ids)]
    ledger.note_confirmed(seen)
    return len(seen)


def headers(environment: Mapping[str, str]) -> dict[str, str]:
    """What a request to Prefect's API says about who asks."""
    if key := environment.get(KEY):
        return {"Authorization": f"Bearer {key}"}
    if secret := environment.get(AUTH):
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    return {}
