"""An empty ledger, in SQLite and in a real PostgreSQL."""

from pathlib import Path

import pytest

from warehouse.ledger import Ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """An empty ledger, in SQLite and in PostgreSQL."""
    if request.param == "sqlite":
        return Ledger(tmp_path)
    return Ledger(tmp_path, request.getfixturevalue("empty_database"))
