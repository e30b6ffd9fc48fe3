"""What `/metrics` tells, in Prometheus' words. Feeds are those of the workspace, so nobody can make names up."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_SLOW = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Gauges:
    """Counts and times of one process."""

    def __init__(self) -> None:
        self.registry = one = CollectorRegistry()
        self.hooks = Counter(
            "answerable_hooks", "Requests to hooks, by what was answered.", ["feed", "status"], registry=one
        )
        self.hook_seconds = Histogram(
            "answerable_hook_seconds", "From the request to the answer.", registry=one, buckets=_FAST
        )
        self.waiting = Gauge(
            "answerable_inbox_waiting", "Deliveries that are in no file yet.", ["feed"], registry=one
        )
        self.runs = Counter("answerable_runs", "Runs, by how they ended.", ["state"], registry=one)
        self.run_seconds = Histogram(
            "answerable_run_seconds", "How long runs took.", registry=one, buckets=_SLOW
        )
        self.release = Gauge("answerable_release_number", "The newest release of this process.", registry=one)
        self.published = Gauge(
            "answerable_release_published_timestamp_seconds", "When it was published.", registry=one
        )
        self.trouble = Gauge("answerable_trouble", "Whether something is wrong now.", ["what"], registry=one)
        self.attempts = Counter(
            "answerable_letter_attempts",
            "Attempts to send letters, by how they ended.",
            ["end"],
            registry=one,
        )
        self.letters = Gauge(
            "answerable_letters", "Letters in the outbox, by state.", ["state"], registry=one
        )

    def text(self) -> bytes:
        """All of it as text."""
        return generate_latest(self.registry)
