"""Loads dataframely as if SQLAlchemy were not here.

It would load SQLAlchemy and its dialects for two databases only to make tables of schemas in them, which nobody asks it
for: 0.03 CPU s of a run, 0.2 of a command that reads tables and no ledger. It is made to be without.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

_WHOLE, _PART = "sqlalchemy", "sqlalchemy.dialects.mssql"


@contextmanager
def _without(module: str) -> Generator[None]:
    """Let the import of a module that has not been loaded yet fail."""
    modules = cast("dict[str, Any]", sys.modules)
    modules[module] = None
    try:
        yield
    finally:
        del modules[module]


if "dataframely" not in sys.modules:
    _absent = _PART if _WHOLE in sys.modules else _WHOLE
    if _absent not in sys.modules:
        with _without(_absent):
            import dataframely as _  # noqa: F401
