"""Tasks on a Spark Connect server: Spark's own, or Sail.

A task is a row; `mapInArrow` hands rows to our function, and it hands back what came of each. A server of
one machine and a cluster look the same from here; whether a lost worker's tasks are done again is up to it.
"""

import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contracts.errors import ExecutorError
from warehouse.executors import VARIABLE, Work, install, needed

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class OnSpark:
    """A Spark Connect server.

    Attributes:
        url: `sc://host:port`, with what else Spark Connect knows: `;use_ssl=true;token=...`.
        least: With fewer events than this to be read nobody is sent for.
    """

    url: str
    least: int

    def run(self, work: Work, tasks: Sequence[str]) -> Iterator[str]:
        """Do every task; yields what came of each."""
        with self._session() as spark:
            rows = spark.createDataFrame([(task,) for task in tasks], "task string")
            # As many partitions as tasks: what is lost with a partition is one task.
            spread = rows.repartition(len(tasks))
            done = spread.mapInArrow(by_rows(work), "done string")
            try:
                for row in done.toLocalIterator():
                    yield row["done"]
            except Exception as error:
                raise self._failed(error) from error

    def answer(self) -> str:
        """Who would do tasks."""
        with self._session() as spark:
            return f"{self.place}, Spark {spark.version}"

    @property
    def place(self) -> str:
        """The address without what may be secret in it."""
        return self.url.partition(";")[0]

    @contextmanager
    def _session(self) -> Generator[Any]:
        sql = needed("pyspark.sql", "spark")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas and of what Spark deprecates in itself
            try:
                spark = sql.SparkSession.builder.remote(self.url).create()
                _ = spark.version
            except Exception as error:  # noqa: BLE001 - gRPC's and Spark's own, neither of which is imported here
                said = str(error).splitlines()[0]
                what = f"does not answer at {self.place}: {said}"
                raise ExecutorError.at(VARIABLE, what, f"Start it, or unset it; {install('spark')}") from None
            try:
                yield spark
            finally:
                spark.stop()

    def _failed(self, error: Exception) -> ExecutorError:
        said = str(error)
        if "ModuleNotFoundError" in said:
            return ExecutorError.at(VARIABLE, "has workers without answerable.", "Install it there too.")
        shown = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason is given")
        what = f"failed at {self.place}: {shown.strip()}"
        return ExecutorError.at(VARIABLE, what, "Run again: what was done is kept.")


def by_rows(work: Work) -> Callable[[Batches], Batches]:
    """What does tasks, over batches of them; `work` travels by its name and is imported where it is called."""

    def do(batches: Batches) -> Batches:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                yield pa.RecordBatch.from_pydict({"done": [work(task)]})

    return do
