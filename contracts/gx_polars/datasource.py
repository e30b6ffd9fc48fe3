"""`context.data_sources.add_polars(...)`: frames handed over at run time, and Parquet files scanned lazily."""

from typing import Any, ClassVar, Literal

import polars as pl

from .engine import PolarsExecutionEngine
from .internals import (
    Batch,
    BatchRequest,
    DataAsset,
    Datasource,
    IDDict,
    LegacyBatchDefinition,
    RuntimeDataBatchSpec,
    make_batch_identifier,
)
from .subject import Subject, subject_of

_EngineClass = type[PolarsExecutionEngine]  # inside the classes below `type` is a field


class _PolarsAsset(DataAsset):
    """What both kinds of asset share: the whole of the data is one batch."""

    def test_connection(self) -> None:
        """Nothing to connect to."""

    def get_batch_identifiers_list(self, batch_request: BatchRequest) -> list[dict]:
        """One batch: the request itself."""
        return [IDDict(batch_request.options)]

    def get_batch(self, batch_request: BatchRequest) -> Batch:
        """The data as a batch with an engine of its own."""
        self._validate_batch_request(batch_request)
        spec = RuntimeDataBatchSpec(batch_data=self._subject(batch_request))
        data, markers = PolarsExecutionEngine().get_batch_data_and_markers(spec)
        identifiers = make_batch_identifier(batch_request.options)
        metadata = self._get_batch_metadata_from_batch_request(
            batch_request=batch_request, ignore_options=("dataframe",)
        )
        return Batch(
            datasource=self.datasource,
            data_asset=self,
            batch_request=batch_request,
            data=data,
            metadata=metadata,
            batch_markers=markers,
            batch_spec=spec,
            batch_definition=LegacyBatchDefinition(
                datasource_name=self.datasource.name,
                data_connector_name="polars",
                data_asset_name=self.name,
                batch_identifiers=identifiers,
            ),
        )

    def add_batch_definition_whole_dataframe(self, name: str) -> Any:  # noqa: ANN401 - Great Expectations' class
        """A batch definition for all of the data."""
        return self.add_batch_definition(name=name)

    def _subject(self, batch_request: BatchRequest) -> Subject:
        raise NotImplementedError


class FrameAsset(_PolarsAsset):
    """A frame that is handed over with `batch_parameters={"dataframe": frame}`, eager, lazy or a `Subject`."""

    type: Literal["frame"] = "frame"

    def get_batch_parameters_keys(self, partitioner: object = None) -> tuple[str, ...]:  # noqa: ARG002 - named above
        """The one parameter."""
        return ("dataframe",)

    def build_batch_request(
        self, options: dict[str, Any] | None = None, batch_slice: object = None, partitioner: object = None
    ) -> BatchRequest:
        """A request for one frame.

        Raises:
            ValueError: There is anything but a frame in it.
            TypeError: What it holds is no polars frame.
        """
        request = BatchRequest(
            datasource_name=self.datasource.name, data_asset_name=self.name, options=options or {}
        )
        if batch_slice is not None or partitioner is not None:
            raise ValueError("frames are validated whole. Leave out batch_slice and partitioner.")
        self._validate_batch_request(request)
        return request

    def _validate_batch_request(self, batch_request: BatchRequest) -> None:
        if list(batch_request.options) != ["dataframe"]:
            raise ValueError(f"batch parameters are {list(batch_request.options)}. Pass exactly 'dataframe'.")
        subject_of(batch_request.options["dataframe"])

    def _subject(self, batch_request: BatchRequest) -> Subject:
        return subject_of(batch_request.options["dataframe"])


class ParquetAsset(_PolarsAsset):
    """Parquet files, scanned lazily: what the rules do not read is not loaded.

    Attributes:
        path: A file, a folder or a glob, as `polars.scan_parquet` takes it.
    """

    type: Literal["parquet"] = "parquet"
    path: str

    def get_batch_parameters_keys(self, partitioner: object = None) -> tuple[str, ...]:  # noqa: ARG002 - named above
        """There are none."""
        return ()

    def build_batch_request(
        self, options: dict[str, Any] | None = None, batch_slice: object = None, partitioner: object = None
    ) -> BatchRequest:
        """A request for the files.

        Raises:
            ValueError: There are options.
        """
        if options or batch_slice is not None or partitioner is not None:
            raise ValueError("Parquet files are validated whole. Leave out all batch parameters.")
        return BatchRequest(datasource_name=self.datasource.name, data_asset_name=self.name, options={})

    def _validate_batch_request(self, batch_request: BatchRequest) -> None:
        if batch_request.options:
            raise ValueError(f"batch parameters are {list(batch_request.options)}. Leave them out.")

    def _subject(self, batch_request: BatchRequest) -> Subject:  # noqa: ARG002 - named above
        return Subject(pl.scan_parquet(self.path))


class PolarsDatasource(Datasource):
    """Polars frames and Parquet files."""

    asset_types: ClassVar[list[type[DataAsset]]] = [FrameAsset, ParquetAsset]
    type: Literal["polars"] = "polars"
    assets: list[FrameAsset | ParquetAsset] = []  # noqa: RUF012 - pydantic copies defaults

    @property
    def execution_engine_type(self) -> _EngineClass:
        """Polars."""
        return PolarsExecutionEngine

    def test_connection(self, test_assets: bool = True) -> None:  # noqa: FBT001, FBT002 - as the class above
        """Nothing to connect to."""

    def add_frame(self, name: str) -> FrameAsset:
        """An asset whose frame is handed over at run time."""
        return self._add_asset(FrameAsset(name=name))

    def add_parquet(self, name: str, path: str) -> ParquetAsset:
        """An asset of Parquet files."""
        return self._add_asset(ParquetAsset(name=name, path=path))
