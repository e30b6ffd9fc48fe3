"""What is known of large sets, by rank and of ages, from one run to the next: most of them are as they were."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import polars as pl

from flows.parts import hash_of
from transforms import ages, groups, ranked
from transforms.ages import KnownAges
from transforms.known import Known
from transforms.ranked import Ranked
from warehouse.kept import Kept

RANKED, AGED = "ranked", "aged"
_MADE_BY: Mapping[str, Sequence[ModuleType]] = {RANKED: (ranked,), AGED: (ages, groups, ranked)}


def known_ranks(kept: Kept) -> Ranked:
    """What the last run asked for of values by rank."""
    return Ranked(_found(kept, RANKED))


def known_ages(kept: Kept) -> KnownAges:
    """What the last run asked for of the ages of open cases."""
    return KnownAges(_found(kept, AGED))


def keep_ranks(kept: Kept, known: Ranked) -> None:
    """Keep what this run asked for, if it had to look at any set.

    Raises:
        StoreError: It cannot be written.
    """
    _keep(kept, RANKED, known)


def keep_ages(kept: Kept, known: KnownAges) -> None:
    """As `keep_ranks`, of the ages of open cases.

    Raises:
        StoreError: It cannot be written.
    """
    _keep(kept, AGED, known)


def _found(kept: Kept, what: str) -> pl.DataFrame | None:
    kind = _kind(what)
    key = next(iter(kept.keys(kind)), None)
    found = kept.find(kind, key) if key is not None else None
    return found[what] if found else None


def _keep(kept: Kept, what: str, known: Known) -> None:
    if known.has_learnt:
        used = known.used()
        key = hash_of([str(used.hash_rows().sum()), str(used.height)])
        kept.put(_kind(what), key, {what: used})


def _kind(what: str) -> str:
    """With the code that looks at sets: whoever changes it asks anew."""
    return f"{what}-{hash_of([Path(str(one.__file__)).read_text() for one in _MADE_BY[what]])[:8]}"
