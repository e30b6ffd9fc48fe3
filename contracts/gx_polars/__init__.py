"""Great Expectations on polars: an execution engine that never copies a frame to pandas.

    import great_expectations as gx
    from contracts.gx_polars import PolarsDatasource  # registers `add_polars`

    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_polars("feeds").add_frame("tickets")
    batch = asset.add_batch_definition("all").get_batch({"dataframe": frame})
    result = batch.validate(suite)

Imports nothing of the packages around it. Importing it loads Great Expectations (4 CPU seconds).

    subject.py       the frame to validate, its references, and which rows broke which rule
    engine.py        the engine: collects what a wave of metrics asks for
    waves.py         ... and runs it as few queries; uniqueness; isolation of rules that cannot run
    answers.py       what a metric is asked, and answers that wait for a query
    domains.py       row conditions and rows to be left out
    rows.py          counts, samples and row numbers from a rule's mask
    rules.py         the row rules
    columns.py       the metrics of columns and of the table
    values.py        values of different types made comparable
    expectations.py  five expectations of our own
    tolerance.py     how many rows may break a rule
    datasource.py    `add_polars`, frames and Parquet files
    validation.py    what a suite says, rule by rule: passed, failed, error
    actions.py       an action for checkpoints: the verdict by severity
    docs.py          Data Docs, for those who want them
    support.py       which expectations are supported
    internals.py     everything of Great Expectations that is not its public API
"""

from .actions import CriticalRulesBroken, VerdictBySeverity
from .columns import register_columns
from .datasource import FrameAsset, ParquetAsset, PolarsDatasource
from .engine import PolarsExecutionEngine
from .expectations import (
    ExpectColumnValuesToBeCastable,
    ExpectColumnValuesToBeInReference,
    ExpectRowsToRepeatNothing,
    ExpectRowsToSatisfy,
    ExpectTableSchemaToBe,
    register_expectations,
)
from .rules import register_rules
from .subject import PolarsBatchData, Subject
from .validation import Validation, Verdict, verdicts

register_rules()
register_columns()
register_expectations()

__all__ = [
    "CriticalRulesBroken",
    "ExpectColumnValuesToBeCastable",
    "ExpectColumnValuesToBeInReference",
    "ExpectRowsToRepeatNothing",
    "ExpectRowsToSatisfy",
    "ExpectTableSchemaToBe",
    "FrameAsset",
    "ParquetAsset",
    "PolarsBatchData",
    "PolarsDatasource",
    "PolarsExecutionEngine",
    "Subject",
    "Validation",
    "Verdict",
    "VerdictBySeverity",
    "verdicts",
]
