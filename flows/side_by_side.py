"""Things that do not hang on each other, several at the same time."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def side_by_side(work: Callable[[T], U], things: Sequence[T], at_once: int) -> Iterator[U]:
    """What work makes of each thing, in the order of the things.

    Args:
        work: Lets go of the interpreter for most of its time, as arrays and queries do.
        things: What there is to do.
        at_once: How many are underway, or done and not asked for yet, at the same time.
    """
    if at_once < 2 or len(things) < 2:
        yield from map(work, things)
        return
    ahead: deque[Future[U]] = deque()
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="pack")
    try:
        for thing in things:
            if len(ahead) == at_once:
                yield ahead.popleft().result()
            ahead.append(pool.submit(work, thing))
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
