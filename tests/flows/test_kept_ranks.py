"""What is known of sets of values goes from one run to the next, and nothing hangs on it."""

from pathlib import Path

import polars as pl

from flows.kept_ranks import keep_ranks, known_ranks
from transforms.ranked import RANKED, Ranked
from warehouse.kept import Kept

ASKED = pl.DataFrame(
    {"mark": [7, 7, 2**64 - 1], "rank": [0, 4, 1]}, schema={n: RANKED[n] for n in ("mark", "rank")}
)
FOUND = ASKED.with_columns(value=pl.Series([0.5, float("nan"), 3.0]))


def learnt(known: Ranked) -> Ranked:
    """After a run that had to look at sets."""
    known.note(FOUND, has_learnt=True)
    return known


def test_the_next_run_knows_what_the_last_one_asked_for(tmp_path: Path):
    keep_ranks(Kept(tmp_path), learnt(known_ranks(Kept(tmp_path))))
    values, is_known = known_ranks(Kept(tmp_path)).find(ASKED.reverse())
    assert is_known.all()
    assert values[[0, 2]].tolist() == [3.0, 0.5]


def test_nothing_is_written_when_nothing_was_learnt(tmp_path: Path):
    keep_ranks(Kept(tmp_path), learnt(known_ranks(Kept(tmp_path))))
    before = sorted(tmp_path.iterdir())
    known = known_ranks(Kept(tmp_path))
    known.note(FOUND.head(1), has_learnt=False)
    keep_ranks(Kept(tmp_path), known)
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_damaged_is_not_known(tmp_path: Path):
    keep_ranks(Kept(tmp_path), learnt(known_ranks(Kept(tmp_path))))
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    _, is_known = known_ranks(Kept(tmp_path)).find(ASKED)
    assert not is_known.any()


def test_nobody_keeps_without_a_folder():
    kept = Kept()
    keep_ranks(kept, learnt(known_ranks(kept)))
    assert not known_ranks(kept).find(ASKED)[1].any()
