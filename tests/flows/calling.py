"""The command line called in this process."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.cli import main


@dataclass(frozen=True)
class Said:
    """What one call of the command line did.

    Attributes:
        code: Its exit code.
        out: What it printed.
        err: What it complained about.
    """

    code: int
    out: str
    err: str


def called(
    words: tuple[str | Path, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Call the command line with some words."""
    monkeypatch.setattr(sys, "argv", ["answerable", *map(str, words)])
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    printed = capsys.readouterr()
    return Said(int(str(code or 0)), printed.out, printed.err)
