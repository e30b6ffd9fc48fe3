"""The command line. Commands are imported when they are called, so that `--help` is quick."""

import sys

from cyclopts import App

_HELP = """Who is accountable for every moment a customer lives through, is it meeting its goal, and can
we believe the number?

A *workspace* is a folder that you keep in git: `answerable.yaml`, the accountability map in `map/`, feeds
in `feeds/`, their contracts in `contracts/`. Begin with `answerable init shop && answerable run shop`, or
see a whole company with `answerable demo`.
"""


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow, and rarely asked for

    return version("answerable")


_COMMANDS = {
    "demo": "Generate a synthetic company, run it, and hold what was planted against what was found.",
    "init": "Make a new workspace that runs.",
    "check": "Check a workspace: every problem of every file at once.",
    "run": "Read what the feeds delivered and publish a release.",
    "show": "Show a published table in the terminal.",
    "quarantine": "Look at rows that broke their contract, judge them again, or give them up.",
    "quality": "Show how good a release's data is: feeds, broken rules, how far to believe the numbers.",
    "contracts": "See what changed in the feeds' contracts, freeze them, export ours.",
    "doctor": "Look for what is wrong with the installation and a workspace, and say what to do.",
}

app = App(name="answerable", help=_HELP, version=_version, version_flags=["--version"])
for _name, _about in _COMMANDS.items():
    app.command(f"flows.commands.{_name}:{_name}", name=_name, help=_about)


def main() -> None:
    """Run the command line; errors we raise on purpose end it with a message and their exit code."""
    from contracts.errors import AnswerableError  # noqa: PLC0415 - keeps the module itself quick

    try:
        app()
    except AnswerableError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was half published, run again to go on\n")
        sys.exit(130)
