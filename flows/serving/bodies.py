"""A request's body as JSON objects, each the bytes that were sent."""

import json
import re

import orjson

JSON_TYPES = re.compile(r"^application/(json|[a-z0-9.+-]+\+json)$")
LINES_TYPES = frozenset(
    {
        "application/jsonl",
        "application/x-jsonl",
        "application/x-ndjson",
        "application/x-jsonlines",
        "application/jsonlines",
    }
)
_DECODER = json.JSONDecoder()
_BETWEEN = " \t\r\n,"


class Unprocessable(Exception):  # noqa: N818 - caught where it is raised for, and told as an answer
    """A body that is no JSON objects; the text says why and never what."""


def is_known_type(content_type: str) -> bool:
    """Whether bodies of a content type can be read: JSON or JSON lines, in UTF-8."""
    name, _, rest = content_type.lower().partition(";")
    name, charset = name.strip(), re.search(r"charset\s*=\s*\"?([\w-]+)", rest)
    is_text = charset is None or charset[1] in ("utf-8", "utf8", "us-ascii")
    return is_text and (name in LINES_TYPES or JSON_TYPES.match(name) is not None)


def objects(body: bytes, content_type: str) -> list[bytes]:
    """The JSON objects of a body, in their order: one, those of a list, or one a line.

    What is returned is what was sent, line breaks between values apart.

    Raises:
        Unprocessable: It is not JSON, or has anything else than objects.
    """
    if content_type.lower().partition(";")[0].strip() in LINES_TYPES:
        found = [
            _object(line, f"line {number}") for number, line in enumerate(_lines(body), 1) if line.strip()
        ]
    else:
        found = _objects(body)
    if not found:
        message = "the body has no object"
        raise Unprocessable(message)
    return found


def _lines(body: bytes) -> list[bytes]:
    return body.replace(b"\r\n", b"\n").split(b"\n")


def _object(text: bytes, where: str) -> bytes:
    if not isinstance(_parsed(text, where), dict):
        message = f"{where} is no object"
        raise Unprocessable(message)
    return _flat(text)


def _objects(body: bytes) -> list[bytes]:
    value = _parsed(body, "the body")
    if isinstance(value, dict):
        return [_flat(body)]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        message = "the body is neither an object nor a list of objects"
        raise Unprocessable(message)
    return _items(body.decode(), len(value))


def _items(text: str, count: int) -> list[bytes]:
    """The items of a list as they are written."""
    at, found = text.index("[") + 1, list[bytes]()
    for _ in range(count):
        while text[at] in _BETWEEN:
            at += 1
        try:
            _, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            message = "the body is nested too deeply"
            raise Unprocessable(message) from None
        found.append(_flat(text[at:end].encode()))
        at = end
    return found


def _parsed(text: bytes, where: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        message = f"{where} is not JSON"
        raise Unprocessable(message) from None


def _flat(text: bytes) -> bytes:
    """The text on one line. Within a string JSON has no line break, so those are between values."""
    return text.strip().replace(b"\r", b" ").replace(b"\n", b" ")
