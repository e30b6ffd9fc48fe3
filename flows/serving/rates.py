"""How much is taken: deliveries a minute by feed, and bytes that are in memory at once."""

import math


class Bucket:
    """A minute's worth at once, and what a minute gives again.

    Args:
        per_minute: How many.
        now: Seconds on a clock that never goes back.
    """

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._left, self._at = float(per_minute), now

    def wait(self, now: float) -> int:
        """Take one: 0 when there is one, else the whole seconds until there will be."""
        rate = self.per_minute / 60
        self._left = min(self.per_minute, self._left + (now - self._at) * rate)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0
        return max(1, math.ceil((1 - self._left) / rate))


class Rates:
    """A bucket for each feed; a feed whose limit was changed begins anew."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def wait(self, feed: str, per_minute: int, now: float) -> int:
        """Take one of a feed's; see `Bucket.wait`."""
        bucket = self._buckets.get(feed)
        if bucket is None or bucket.per_minute != per_minute:
            bucket = self._buckets[feed] = Bucket(per_minute, now)
        return bucket.wait(now)
