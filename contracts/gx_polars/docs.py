"""Great Expectations' Data Docs of what a suite says of frames; opt-in, because its pages load remote addresses."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .internals import (
    COUNTS_ONLY,
    Checkpoint,
    ExpectationSuite,
    UpdateDataDocsAction,
    ValidationDefinition,
    ephemeral_context,
)
from .subject import Subject
from .validation import Verdict, verdicts

_SITE = "polars"


class DataDocs:
    """One site of pages, a page for each frame that is judged.

    The pages load styles, scripts and fonts from the internet, and a logo whose address tells the maker of
    Great Expectations that they were opened. They hold counts, and never a value of the data.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        if self._folder.exists() and any(self._folder.iterdir()) and not self.page.is_file():
            raise ValueError(f"{folder} holds something else. Name a folder that is empty or not there yet.")
        shutil.rmtree(self._folder, ignore_errors=True)
        context = ephemeral_context()
        for site in list(context.list_data_docs_sites()):
            context.delete_data_docs_site(site)
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(self._folder)}
        index = {"class_name": "DefaultSiteIndexBuilder"}
        made: Any = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": store}
        context.add_data_docs_site(_SITE, made)
        self._context = context
        self._source = context.data_sources.add_polars("polars")

    @property
    def page(self) -> Path:
        """The first page."""
        return self._folder / "index.html"

    def add(
        self,
        name: str,
        suite: Mapping[str, Any],
        subject: Subject,
        parameters: Mapping[str, Any] | None = None,
    ) -> list[Verdict]:
        """Hold a suite against a subject and write its page.

        Args:
            name: What the page is called; one of its own for each subject.
            suite: The suite as plain values.
            subject: The data and its references.
            parameters: Values of the suite's parameters.
        """
        batches = self._source.add_frame(name).add_batch_definition_whole_dataframe(name)
        named: dict[str, Any] = {**suite, "name": name}
        made = self._context.suites.add(ExpectationSuite(**named))
        definition = ValidationDefinition(name=name, data=batches, suite=made)
        self._context.validation_definitions.add(definition)
        checkpoint = Checkpoint(
            name=name,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="pages", site_names=[_SITE])],
            result_format=dict(COUNTS_ONLY),
        )
        result = self._context.checkpoints.add(checkpoint).run(
            batch_parameters={"dataframe": subject}, expectation_parameters=dict(parameters or {})
        )
        return [one for found in result.run_results.values() for one in verdicts(found)]
