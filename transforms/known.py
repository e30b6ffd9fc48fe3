"""What was looked up in large sets is known from one run to the next: a set that is alike is not looked at again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl


class Known:
    """What is known of sets, each row by what tells it apart.

    Args:
        kinds: Columns of a row.
        by: Those that tell it apart.
        known: Rows, no two of them alike in that; nothing when absent.
    """

    def __init__(self, kinds: Mapping[str, Any], by: Sequence[str], known: pl.DataFrame | None) -> None:
        self._known = pl.DataFrame(schema=dict(kinds)) if known is None else known
        self._by = list(by)
        self._asked: list[pl.DataFrame] = []
        self.has_learnt = False

    def _look_up(self, asked: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
        """What was asked for, with what is known of it, null where nothing is; and whether it is."""
        known = self._known.with_columns(is_known=pl.lit(value=True))
        found = asked.join(known, on=self._by, how="left", maintain_order="left")
        return found, found["is_known"].is_not_null().to_numpy()

    def _note(self, told: pl.DataFrame, *, has_learnt: bool) -> None:
        """Note what was asked for, and whether any of it was not known."""
        self._asked.append(told)
        self.has_learnt |= has_learnt

    def used(self) -> pl.DataFrame:
        """What was asked for, known before or not, in order; no two rows are alike in what tells them apart."""
        if not self._asked:
            return self._known.clear()
        return pl.concat(self._asked).unique(self._by).sort(self._by)
