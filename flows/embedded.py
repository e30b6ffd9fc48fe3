"""Prefect's embedded server: settings that have to stand before Prefect is imported."""

import os
from pathlib import Path

STARTUP_SECONDS = "180"
"""The default of 20 s is too short for a first start on a busy machine: it migrates a database."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
"""Calls nobody, advertises nothing."""


def prepare(home: Path) -> None:
    """Make this process use an embedded server of its own, below `home`, that calls nobody.

    Has to be called before Prefect is imported.
    """
    for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE"):
        os.environ.pop(name, None)
    os.environ.update(QUIET)
    os.environ.update(
        {
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": STARTUP_SECONDS,
            "PREFECT_LOGGING_LEVEL": os.environ.get("PREFECT_LOGGING_LEVEL", "WARNING"),
        }
    )
