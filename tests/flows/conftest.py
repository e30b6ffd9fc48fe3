"""Fixtures of the tests that call the command line."""

from pathlib import Path

import pytest

from tests.flows.calling import Said, called


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call the command line in this process, without a Prefect server."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def call_it(*words: str | Path) -> Said:
        return called(words, monkeypatch, capsys)

    return call_it
