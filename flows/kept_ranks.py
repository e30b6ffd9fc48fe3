"""What is known of large sets of values by rank, from one run to the next: most of them are as they were."""

from pathlib import Path

from flows.parts import hash_of
from transforms import ranked
from transforms.ranked import Ranked
from warehouse.kept import Kept

RANKED = "ranked"


def known_ranks(kept: Kept) -> Ranked:
    """What the last run asked for."""
    key = next(iter(kept.keys(_kind())), None)
    found = kept.find(_kind(), key) if key is not None else None
    return Ranked(found[RANKED] if found else None)


def keep_ranks(kept: Kept, known: Ranked) -> None:
    """Keep what this run asked for, if it had to look at any set.

    Raises:
        StoreError: It cannot be written.
    """
    if known.has_learnt:
        used = known.used()
        kept.put(_kind(), hash_of([str(used.hash_rows().sum()), str(used.height)]), {RANKED: used})


def _kind() -> str:
    """With the code that marks sets: whoever changes it asks for other ones."""
    return f"{RANKED}-{hash_of([Path(ranked.__file__).read_text()])[:8]}"
