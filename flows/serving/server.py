"""All parts of the hot lane as one process, from its start to its end."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from contracts.errors import QuestionError
from flows.serving.committer import Committer
from flows.serving.postman import Postman
from flows.serving.reactor import Reactor, Rhythm
from flows.serving.receiver import Receiver
from flows.serving.standing import Standing
from flows.serving.watching import Watcher
from flows.workspace import load
from warehouse.alert_ledger import AlertLedger
from warehouse.claim import must_be_ours
from warehouse.inbox import Inbox, Pushed
from warehouse.ledger import Ledger

_log = logging.getLogger("answerable.serve")
_CONNECTIONS_MAX = 4_000
_BACKLOG = 4_096
_SWITCH_SECONDS = 0.0005
"""How long a run may compute before the receiver gets its turn: at Python's 5 ms, which one request waits for about
nine times, a delivery was answered in 48 ms while a run was under way."""


@dataclass(frozen=True)
class Options:
    """How a workspace is served.

    Attributes:
        host: The address to listen on.
        port: Its port; 0 for any that is free.
        grace_seconds: How long a run that is under way may take when it is told to end.
        rhythm: When the reactor does what.
        environment: Where secrets are.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    grace_seconds: float = 30.0
    rhythm: Rhythm = field(default_factory=Rhythm)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


class HotLane:
    """The parts, and how they wake each other."""

    def __init__(self, root: Path, options: Options) -> None:
        """Read the workspace and reach its ledger.

        Raises:
            WorkspaceError: Something in its files is wrong.
            StoreError: The ledger cannot be reached.
        """
        self.options = options
        self.standing = Standing(load(root))
        must_be_ours(self.standing.workspace.warehouse, root)
        ledger = Ledger(self.standing.workspace.warehouse, is_resident=True)
        inbox = Inbox(ledger)
        self.postman = Postman(self.standing, AlertLedger(ledger), options.environment)
        self.reactor = Reactor(self.standing, inbox, self.postman.hurry, options.rhythm)
        self.watcher = Watcher(self.standing, self.reactor.wake)
        self.committer = Committer(inbox, self._accepted)
        self.receiver = Receiver(self.standing, self.committer, options.environment, self._is_well)

    def once(self) -> bool:
        """Look once, run when there is something to do, send what is due; whether nothing is wrong."""
        self.reactor.look()
        self.postman.round()
        return not self.standing.told.trouble

    @contextlib.contextmanager
    def working(self) -> Generator[None]:
        """Everything but the receiver, which needs a loop."""
        self.committer.start()
        self.reactor.start()
        self.postman.start()
        self.watcher.start()
        try:
            yield
        finally:
            self.watcher.stop()
            self.committer.stop()
            is_over = self.reactor.stop(self.options.grace_seconds)
            is_over = self.postman.stop(self.options.grace_seconds) and is_over
            _log.info("ended%s", "" if is_over else "; a run was left, the next one goes on where it was")

    def _is_well(self) -> bool:
        return self.reactor.is_alive and self.postman.is_alive

    def _accepted(self, _: Sequence[Pushed]) -> None:
        self.reactor.wake()


class _Server(uvicorn.Server):
    """Uvicorn, told to end by us: it would die of the signal before the other parts have ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def serve(root: Path, options: Options) -> None:
    """Serve a workspace until SIGTERM or SIGINT.

    Raises:
        WorkspaceError: Something in its files is wrong.
        QuestionError: The address is taken.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    lane = HotLane(root, options)
    listener = _bound(options.host, options.port)
    _log_to_stderr()
    asyncio.run(_served(lane, listener))


async def _served(lane: HotLane, listener: socket.socket) -> None:
    options = lane.options
    config = uvicorn.Config(
        lane.receiver.app(),
        host=options.host,
        port=options.port,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=_CONNECTIONS_MAX,
        backlog=_BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(options.grace_seconds),
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, setattr, server, "should_exit", True)
    host, port = listener.getsockname()[:2]
    hooks = ", ".join(sorted(lane.standing.hooks)) or "none"
    with lane.working():
        _log.info("listening on http://%s:%d, hooks: %s", host, port, hooks)
        await server.serve(sockets=[listener])
        _log.info("told to end")


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Handed on to every connection: an answer of two parts would wait for the sender's delayed ACK, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise QuestionError.at(
            f"{host}:{port}", f"cannot be listened on: {error.strerror}.", "Choose another --port."
        ) from None
    return listener


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for name, level in (("answerable", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(level)
