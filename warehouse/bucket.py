"""A place in an object store that speaks S3: named objects that are written whole, or not at all.

Only the environment says who we are and where the store is (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, or whatever else AWS gives a machine). No secret and no
address of an endpoint stands in an error.
"""

import importlib
import os
import re
import threading
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from contracts.errors import StoreError

RETRIES, RETRY_SECONDS, ANSWER_SECONDS, CONNECT_SECONDS = 8, 30, 60, 5
"""A request is tried so often, for so long; an answer may take so long, and so long until somebody takes the call."""
READ_BYTES = 4 << 20
PROBES = "probes"

_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthFailure")
_MACHINE = "169.254.169.254"
"""Who is asked for a key where the environment has none: AWS's own machines answer."""
_MEND_KEY = "See AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), then run again."
_AGAIN = "See whether the object store is up, then run again: what was committed is there."


class Listed(NamedTuple):
    """An object that there is.

    Attributes:
        name: Below the place.
        size: Bytes.
        at: When it was written.
    """

    name: str
    size: int
    at: datetime


@dataclass
class Traffic:
    """What went to and fro; lists count once a thousand objects.

    Attributes:
        requests: How many requests, by what was asked.
        sent: Bytes that were written.
        received: Bytes that were read.
    """

    requests: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    received: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, what: str, count: int = 1, *, sent: int = 0, received: int = 0) -> None:
        """Add to it; several threads do."""
        with self._turn:
            self.requests[what] = self.requests.get(what, 0) + count
            self.sent += sent
            self.received += received


@dataclass(frozen=True)
class Bucket:
    """A place in an object store.

    Attributes:
        url: `s3://bucket/prefix`.
        traffic: What went to and fro in this process.
    """

    url: str
    traffic: Traffic = field(default_factory=Traffic, compare=False, repr=False)

    def at(self, name: str) -> str:
        """The address of an object."""
        return f"{self.url}/{name}"

    def list(self, folder: str, after: str | None = None) -> list[Listed]:
        """Every object in a folder, by name; those after a name where one is given."""
        with self._asking(folder):
            every = self._obstore.list(self._store, folder, offset=after).collect()
        self.traffic.note("list", 1 + len(every) // 1000)
        return [Listed(one["path"], one["size"], one["last_modified"]) for one in every]

    def read(self, name: str) -> bytes | None:
        """An object's content; None when there is no such object."""
        with self._asking(name):
            try:
                content = bytes(self._obstore.get(self._store, name).bytes())
            except FileNotFoundError as error:
                _must_be_object(error)
                content = None
        self.traffic.note("get", received=len(content or b""))
        return content

    def pour(self, name: str, take: Callable[[bytes], object]) -> datetime | None:
        """Hand over an object's content bit by bit; when it was written, None when there is no such object."""
        received = 0
        with self._asking(name):
            try:
                found = self._obstore.get(self._store, name)
                for some in found.stream(min_chunk_size=READ_BYTES):
                    take(some)
                    received += len(some)
            except FileNotFoundError as error:
                _must_be_object(error)
                return None
            finally:
                self.traffic.note("get", received=received)
        return found.meta["last_modified"]

    def has(self, name: str) -> bool:
        """Whether there is an object."""
        self.traffic.note("head")
        with self._asking(name):
            try:
                self._obstore.head(self._store, name)
            except FileNotFoundError as error:
                _must_be_object(error)
                return False
        return True

    def write(self, name: str, content: bytes | Path) -> None:
        """Write an object, over one of that name if there is one: readers see the one or the other, whole."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        with self._asking(name):
            self._obstore.put(self._store, name, content)
        self.traffic.note("put", 1 if size <= 5 << 20 else 2 - -size // -(5 << 20), sent=size)

    def create(self, name: str, content: bytes) -> bool:
        """Create an object, unless it is there.

        Returns:
            Whether it was created; False when somebody else had. One with this very content counts as ours: an
            answer that was lost on its way has the request made again.
        """
        if self._created(name, content):
            return True
        return self.read(name) == content

    def _created(self, name: str, content: bytes) -> bool:
        self.traffic.note("put", sent=len(content))
        with self._asking(name):
            try:
                self._obstore.put(self._store, name, content, mode="create", use_multipart=False)
            except self._obstore.exceptions.AlreadyExistsError:
                return False
        return True

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects; those that are gone are no error."""
        if names:
            with self._asking(names[0]):
                self._obstore.delete(self._store, list(names))
            self.traffic.note("delete", -(-len(names) // 1000))

    def refuses_second(self) -> bool:
        """Whether it refuses to create what is there: without that two runs may both believe to have committed."""
        name = f"{PROBES}/{uuid.uuid4().hex}"
        try:
            return self._created(name, b"first") and not self._created(name, b"second")
        finally:
            self.delete([name])

    @cached_property
    def _obstore(self) -> Any:  # noqa: ANN401 - not a dependency
        try:
            importlib.import_module("obstore.exceptions")
            return importlib.import_module("obstore")
        except ModuleNotFoundError as error:
            what = f"needs the package {error.name!r}, which is not installed."
            raise StoreError.at("objects", what, "pip install 'answerable[objects]'.") from None

    @cached_property
    def _store(self) -> Any:  # noqa: ANN401 - not a dependency
        named = importlib.import_module("obstore.store") if self._obstore else None
        assert named is not None  # noqa: S101 - or an error was raised
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        with self._asking(""):
            return named.S3Store(
                bucket,
                prefix=prefix or None,
                client_options={
                    "timeout": timedelta(seconds=ANSWER_SECONDS),
                    "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                    **({"allow_http": True} if endpoint.startswith("http://") else {}),
                },
                retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
                **({"endpoint": endpoint} if endpoint else {}),
            )

    @contextmanager
    def _asking(self, name: str) -> Generator[None]:
        """Tell of what the store refuses as an error of ours, without what its client says of requests."""
        try:
            yield
        except (self._obstore.exceptions.BaseError, FileNotFoundError, ValueError) as error:
            what, remedy = _said(str(error))
            raise StoreError.at(self.at(name), what, remedy) from None


def _must_be_object(error: FileNotFoundError) -> None:
    """Let pass that an object is not there; not that the bucket is not."""
    if "NoSuchBucket" in str(error):
        raise error


def _said(error: str) -> tuple[str, str]:
    """What is wrong, and what to do."""
    code = found[1] if (found := _CODE.search(error)) else ""
    if code == "NoSuchBucket":
        return "cannot be used: there is no such bucket.", "Make it, or mend 'objects' in answerable.yaml."
    if _MACHINE in error:
        return "cannot be used: there is no key to the object store.", _MEND_KEY
    if code in _KEYS:
        return f"cannot be used: the object store does not take our key ({code}).", _MEND_KEY
    if code == "AccessDenied" or "403" in error:
        what = f"cannot be used: the object store does not allow it ({code or 403})."
        return what, "Give the key the right to list, read, write and delete there."
    return f"cannot be used: the object store does not answer{f' ({code})' if code else ''}.", _AGAIN
