"""The databases that a ledger may be in, each loaded when it is first written to."""

from importlib import import_module
from typing import Any

from sqlalchemy import Table

DATABASES = ("sqlite", "postgresql")


def insert_into(database: str, table: type[Any] | Table) -> Any:  # noqa: ANN401 - each has a class of its own
    """The database's INSERT, which can leave rows alone whose keys are taken."""
    return import_module(f"sqlalchemy.dialects.{database}").insert(table)
