"""Shares in whole percent that add up to 100."""

from collections.abc import Sequence


def apportioned(counts: Sequence[int], total: int = 100) -> list[int]:
    """Whole numbers in proportion to counts, which add up to the total exactly.

    Largest remainder (Hamilton's method): every share is rounded down, and what is left of the total goes
    to the largest remainders, of equal ones to the earlier. No number is further than 1 from its exact
    share. All are 0 when nothing was counted. Computed in integers, so no rounding of floats decides.

    Args:
        counts: What is to be shown in proportion, none negative.
        total: What the numbers add up to.
    """
    whole = sum(counts)
    if whole == 0:
        return [0] * len(counts)
    shares = [count * total // whole for count in counts]
    remainders = [count * total % whole for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda place: (-remainders[place], place))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares
