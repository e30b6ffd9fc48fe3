"""What is known of sets of values goes from one run to the next, and nothing hangs on it."""

from pathlib import Path

import numpy as np

from flows.kept_ranks import keep_ranks, known_ranks
from transforms.ranked import Ranked
from warehouse.kept import Kept

MARKS = np.array([7, 2**64 - 1], dtype=np.uint64)
RANKS = np.array([[0, 1], [4, -1]])
VALUES = np.array([[0.5, 3.0], [9.0, 0.0]])


def learnt(known: Ranked) -> Ranked:
    """After a run that had to look at sets."""
    known.note(MARKS, RANKS, VALUES, has_learnt=True)
    return known


def test_the_next_run_knows_what_the_last_one_asked_for(tmp_path: Path):
    keep_ranks(Kept(tmp_path), learnt(known_ranks(Kept(tmp_path))))
    values, is_known = known_ranks(Kept(tmp_path)).find(MARKS, RANKS)
    assert is_known.all()
    assert values.tolist() == VALUES.tolist()
    assert known_ranks(Kept(tmp_path)).find(MARKS, RANKS + 1)[1].tolist() == [False, False]


def test_nothing_is_written_when_nothing_was_learnt(tmp_path: Path):
    keep_ranks(Kept(tmp_path), learnt(known_ranks(Kept(tmp_path))))
    before = sorted(tmp_path.iterdir())
    known = known_ranks(Kept(tmp_path))
    known.note(MARKS[:1], RANKS[:, :1], VALUES[:, :1], has_learnt=False)
    keep_ranks(Kept(tmp_path), known)
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_damaged_is_not_known(tmp_path: Path):
    keep_ranks(Kept(tmp_path), learnt(known_ranks(Kept(tmp_path))))
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    _, is_known = known_ranks(Kept(tmp_path)).find(MARKS, RANKS)
    assert not is_known.any()


def test_nobody_keeps_without_a_folder():
    kept = Kept()
    keep_ranks(kept, learnt(known_ranks(kept)))
    assert not known_ranks(kept).find(MARKS, RANKS)[1].any()
