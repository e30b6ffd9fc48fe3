"""The command line. Commands are imported when they are called, so that `--help` is quick."""

import os
import sys
from typing import TextIO, cast

from cyclopts import App, Group

from flows.interpreter import prepare

_HELP = """Who is accountable for every moment a customer lives through, is it meeting its goal, and can
we believe the number?

A *workspace* is a folder that you keep in git: `answerable.yaml`, the accountability map in `map/`, feeds
in `feeds/`, their contracts in `contracts/`. Begin with `answerable init shop && answerable run shop`, or
see a whole company with `answerable demo`.
"""


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow, and rarely asked for

    return version("answerable")


_SECTIONS = {
    "Begin": {
        "demo": "Generate a synthetic company, run it, and hold what was planted against what was found.",
        "init": "Make a new workspace that runs.",
        "check": "Check a workspace: every problem of every file at once.",
        "run": "Read what the feeds delivered and publish a release.",
        "serve": "Receive webhooks, watch inbox folders, and keep the release current within seconds.",
        "doctor": "Look for what is wrong with the installation and a workspace, and say what to do.",
    },
    "Operate": {
        "up": "Keep a Prefect server, a worker and the serve lane running as one.",
        "deploy": "Put the workspace's deployments, schedules and automations onto a Prefect server.",
        "backfill": "Read the deliveries of a stretch of days anew, and say what that restates.",
        "rebuild": "Make every table anew from kept deliveries, and hold it against the release, cell by cell.",
    },
    "Ask": {
        "show": "Show a published table in the terminal.",
        "who": "Say who answers for a touchpoint, at any instant and by what was known at any other.",
        "ladder": "How far accountability reaches, and where it ends.",
        "audit": "What nobody owns, measures, aims for or looks at, the most customers at stake first.",
        "load": "What every accountable person carries, and where nobody could step in.",
        "observed": "Which team really resolves the cases, against the one that answers for them.",
        "quality": "Show how good a release's data is: feeds, broken rules, how far to believe the numbers.",
    },
    "Answer": {
        "attest": "Give your word that a touchpoint is yours, or that it is not; and see who has not yet.",
        "quarantine": "Look at rows that broke their contract, judge them again, or give them up.",
        "contracts": "See what changed in the feeds' contracts, freeze them, export ours.",
    },
}
"""Commands by the section of `--help` that they stand in; each is the function of its module's name."""

_GROUPS = {
    "alerts": (
        "Answer",
        "Breaches on evidence: who was told, what they did, and why nobody was.",
        {
            "list": "List alerts: what is open, since when, who answers, who knows.",
            "why": "Say why an alert fired, or why none did, with the numbers.",
            "ack": "Acknowledge an alert: it no longer climbs.",
            "dispute": "Dispute the evidence of an alert: it no longer climbs, and the reason is kept.",
            "silence": "Tell nobody of a touchpoint's or feed's alerts until a date; they are still counted.",
            "unsilence": "End a silence now.",
            "backtest": "Hold the evidence rule against the naive one over all published weeks.",
            "send": "Send what waits in the outbox.",
        },
    ),
    "map": (
        "Ask",
        "The accountability map: who answers for what, and what was believed when.",
        {
            "show": "Show who answers for every touchpoint, by stage, at any instant.",
            "diff": "Say what a change of the map would do.",
            "log": "List every version of the map that was believed, and since when.",
            "codeowners": "Write the map's decision rights as a CODEOWNERS file.",
            "schema": "Print the JSON Schema of the map's files, for editors.",
        },
    ),
    "rules": (
        "Ask",
        "Test the rules that lead events to touchpoints, see what they catch and what not.",
        {
            "test": "Lead the examples of every rule through the rules, without any data.",
            "show": "How often every rule matched, and which never can.",
            "unmatched": "What no rule matches, as YAML to paste into the map.",
        },
    ),
}
"""Groups of commands: their section, what they are for, their commands: `map show` is `map_show.map_show`."""

app = App(name="answerable", help=_HELP, version=_version, version_flags=["--version"])
_sections = {title: Group.create_ordered(title) for title in _SECTIONS}
for _title, _commands in _SECTIONS.items():
    for _name, _about in _commands.items():
        app.command(f"flows.commands.{_name}:{_name}", name=_name, help=_about, group=_sections[_title])
for _group, (_title, _about, _commands) in _GROUPS.items():
    _below = App(name=_group, help=_about, group=_sections[_title])
    for _name, _told in _commands.items():
        _place = f"flows.commands.{_group}_{_name}:{_group}_{_name}"
        _below.command(_place, name=_name, help=_told)
    app.command(_below)


def main() -> None:
    """Run the command line; errors we raise on purpose end it with a message and their exit code."""
    from contracts.errors import AnswerableError  # noqa: PLC0415 - keeps the module itself quick
    from views.signs import shown  # noqa: PLC0415

    prepare()
    if sys.stdout.isatty():
        from flows.console import Screen, Shown  # noqa: PLC0415 - loads rich, which somebody who watches waits for anyway

        app.console = Screen()
        sys.stdout = cast("TextIO", Shown(sys.stdout))
    try:
        app()
    except AnswerableError as error:
        for problem in error.problems:
            sys.stderr.write(f"{shown(str(problem))}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read it, like `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was half published, run again to go on\n")
        sys.exit(130)
