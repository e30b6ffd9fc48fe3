"""A PostgreSQL of a test's own, that can be killed and begun again."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.conftest import address
from tests.flows.hooks import until


class Database:
    """A PostgreSQL that can be killed and begun again.

    Attributes:
        url: Its address, as the ledger takes it.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = address(server)

    def kill(self) -> None:
        """End it as a power cut would: its workers go once it is gone."""
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists(), "it is gone")

    def begin(self) -> None:
        """Begin it again; its old workers may still be going."""
        end = time.monotonic() + 60
        while True:
            try:
                self._server.ensure_postgres_running()
            except Exception:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def make(self, name: str) -> str:
        """Make a database; its address as the ledger takes it."""
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return self.url.replace("/postgres?", f"/{name}?")
