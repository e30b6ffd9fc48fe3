"""What hangs on one value alone is worked out once for it."""

from contracts.remembered import remembered


def test_work_is_done_once_for_the_same_object_and_anew_for_an_equal_one():
    asked: list[list[int]] = []

    @remembered
    def total(numbers: list[int]) -> int:
        asked.append(numbers)
        return sum(numbers)

    one, equal = [1, 2], [1, 2]
    assert [total(one), total(one), total(equal), total(one), total(equal)] == [3] * 5
    assert [id(numbers) for numbers in asked] == [id(one), id(equal)]


def test_only_the_last_few_values_are_kept():
    asked: list[int] = []
    numbers = [[number] for number in range(6)]

    @remembered
    def first(of: list[int]) -> int:
        asked.append(of[0])
        return of[0]

    assert [first(of) for of in (*numbers, numbers[5], numbers[0])] == [0, 1, 2, 3, 4, 5, 5, 0]
    assert asked == [0, 1, 2, 3, 4, 5, 0]
