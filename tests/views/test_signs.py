"""What came from outside does nothing to a terminal: its control characters are seen."""

import io
import sys
from collections.abc import Callable

import polars as pl
import pytest
from rich.text import Text

from flows.console import out
from tests.conftest import Sandbox
from views.signs import shown
from views.terminal import any_table

EVIL = "\x1b[31mRED\x1b]0;pwned\x07\x9b2J\r"
SEEN = r"\x1b[31mRED\x1b]0;pwned\x07\x9b2J\x0d"


class Terminal(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self) -> bool:
        return True


def test_control_characters_are_seen_and_line_breaks_stay():
    assert shown(f"a\tb\n{EVIL}ü") == f"a\tb\n{SEEN}ü"


@pytest.mark.parametrize("what", [EVIL, Text(EVIL), any_table(pl.DataFrame({"kind": [EVIL]}), "t", 9)])
def test_a_report_shows_them_wherever_they_stand(what: object, capsys: pytest.CaptureFixture[str]):
    out.print(what)
    said = capsys.readouterr().out
    assert r"RED\x1b]0;pwned" in said
    assert "\x1b" not in said


def test_a_terminal_sees_them_in_csv_and_a_file_has_them_as_they_are(
    sandbox: Sandbox, call: Callable, monkeypatch: pytest.MonkeyPatch
):
    sandbox.answers(
        f'1,a@x.example,2026-02-10 09:00:00,web,"{EVIL[:-1]}",9',
        "2,b@x.example,2026-02-10 09:00:00,web,order,5",
    )
    sandbox.run()
    wanted = ("quarantine", "show", "survey.answers", sandbox.root, "--csv")
    piped = call(*wanted).out
    assert EVIL[:-1] in piped
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    call(*wanted)
    assert terminal.getvalue() == shown(piped)
    assert "\x1b" not in terminal.getvalue()
