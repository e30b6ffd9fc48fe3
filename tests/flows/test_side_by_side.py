"""Several things at the same time, in their order."""

import threading

import pytest

from flows.side_by_side import side_by_side


def test_what_is_made_comes_in_the_order_of_the_things_whoever_is_done_first():
    second_is_done = threading.Event()

    def work(thing: int) -> int:
        if thing == 0:
            assert second_is_done.wait(10)
        if thing == 1:
            second_is_done.set()
        return 10 * thing

    assert list(side_by_side(work, range(5), 2)) == [0, 10, 20, 30, 40]


def test_no_more_are_begun_than_may_be_until_the_first_is_asked_for():
    begun = []
    made = side_by_side(begun.append, range(9), 3)
    next(made)
    assert len(begun) <= 4
    assert list(made) == [None] * 8
    assert sorted(begun) == list(range(9))


def test_one_at_a_time_is_done_where_it_is_asked_for():
    where = side_by_side(lambda _: threading.current_thread(), range(3), 1)
    assert set(where) == {threading.current_thread()}


def test_what_goes_wrong_is_told_and_nothing_else_is_begun():
    begun = []

    def work(thing: int) -> None:
        begun.append(thing)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(side_by_side(work, range(50), 2))
    assert len(begun) <= 3
