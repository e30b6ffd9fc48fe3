"""Many requests, one transaction: whatever comes while the disk is busy is committed together next."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from contracts.errors import StoreError
from warehouse.inbox import PUT_MAX, Inbox, Kept, Pushed

_Asked = tuple[Pushed, "asyncio.Future[Kept]"]


class Committer:
    """Puts deliveries into the inbox, in a thread of its own.

    Args:
        inbox: The inbox.
        accepted: Called with those that were new, once they are on the disk.
    """

    def __init__(self, inbox: Inbox, accepted: Callable[[Sequence[Pushed]], None]) -> None:
        self.inbox = inbox
        self.accepted = accepted
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit, name="committer", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what was asked for, then end."""
        self._queue.put(None)
        self._thread.join()

    async def put(self, delivery: Pushed) -> Kept:
        """Keep a delivery; what became of it is known once it is on the disk.

        Raises:
            StoreError: It could not be kept.
        """
        future: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._queue.put((delivery, future))
        return await future

    def _commit(self) -> None:
        while (asked := self._queue.get()) is not None:
            batch = [asked]
            while len(batch) < PUT_MAX and not self._queue.empty():
                if (more := self._queue.get()) is None:
                    self._queue.put(None)
                    break
                batch.append(more)
            self._put(batch)

    def _put(self, batch: Sequence[_Asked]) -> None:
        loop = batch[0][1].get_loop()
        try:
            kept = self.inbox.put([delivery for delivery, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits for an answer has to get one
            failed = error if isinstance(error, StoreError) else StoreError.at("the inbox", repr(error))
            loop.call_soon_threadsafe(_fail, batch, failed)
            return
        loop.call_soon_threadsafe(_answer, batch, kept)
        fresh = [one for (one, _), state in zip(batch, kept, strict=True) if state == "accepted"]
        if fresh:
            self.accepted(fresh)


def _answer(batch: Sequence[_Asked], kept: Sequence[Kept]) -> None:
    for (_, future), state in zip(batch, kept, strict=True):
        if not future.done():  # whoever asked may have gone
            future.set_result(state)


def _fail(batch: Sequence[_Asked], error: StoreError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
