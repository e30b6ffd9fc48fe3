"""Bodies become JSON objects, one a line, as they were sent."""

import json
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.serving.bodies import Unprocessable, is_known_type, objects

JSON, LINES = "application/json", "application/x-ndjson"


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        (b'{"a":1}', JSON, [b'{"a":1}']),
        (b' \r\n{"a":\n1}\n', JSON, [b'{"a": 1}']),
        (b'[{"a":1}, {"b":[1,2]}]', JSON, [b'{"a":1}', b'{"b":[1,2]}']),
        (b'[\n{"a":"x,y] }"}\n,\n{}\n]', JSON, [b'{"a":"x,y] }"}', b"{}"]),
        (b'{"a":1}\n\r\n{"b":2}\r\n', LINES, [b'{"a":1}', b'{"b":2}']),
        (b'{"id":12345678901234567890123,"x":0.10000000000000000001}', JSON, None),
        ('{"a":"é 😀 \\u0000"}'.encode(), JSON, None),
    ],
)
def test_objects_are_what_was_sent(body: bytes, kind: str, found: list[bytes] | None):
    assert objects(body, kind) == (found or [body])


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"", JSON, "the body is not JSON"),
        (b"[]", JSON, "the body has no object"),
        (b"\n\n", LINES, "the body has no object"),
        (b"{", JSON, "the body is not JSON"),
        (b"NaN", JSON, "the body is not JSON"),
        (b'{"a":1} {"b":2}', JSON, "the body is not JSON"),
        (b'"text"', JSON, "the body is neither an object nor a list of objects"),
        (b"[1]", JSON, "the body is neither an object nor a list of objects"),
        (b'{"a":1}\n[]\n', LINES, "line 2 is no object"),
        (b'{"a":1}\nx\n', LINES, "line 2 is not JSON"),
        (b'{"a":"\xff"}', JSON, "the body is not JSON"),
        (b'{"a":"\\ud800"}', JSON, "the body is not JSON"),
        (b'\xef\xbb\xbf{"a":1}', JSON, "the body is not JSON"),
        (b"[" * 100_000, JSON, "the body is not JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, JSON, "the body is not JSON"),
    ],
)
def test_what_is_no_object_is_told_without_showing_it(body: bytes, kind: str, why: str):
    with pytest.raises(Unprocessable) as refused:
        objects(body, kind)
    assert str(refused.value) == why


def test_a_deep_list_is_refused_and_nothing_breaks():
    for depth in (900, 1000, 1020):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        with suppress(Unprocessable):
            assert objects(b"[" + nested + b"]", JSON) == [nested]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(), _values, max_size=4), min_size=1, max_size=4),
    st.sampled_from([None, 1]),
)
def test_whatever_the_objects_they_come_back_each_on_its_line(told: list[dict], indent: int | None):
    sound = [json.dumps(one, ensure_ascii=True, indent=indent).encode() for one in told]
    body = b"[" + b",\n".join(sound) + b"]"
    try:
        orjson.loads(body)
    except ValueError:
        return  # a lone surrogate
    found = objects(body, JSON)
    assert [json.loads(one) for one in found] == told
    assert not any(b"\n" in one or b"\r" in one for one in found)
    if indent is None:
        assert objects(b"\n".join(sound), LINES) == found == sound


@pytest.mark.parametrize(
    ("kind", "is_known"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json; charset="utf-8"', True),
        ("application/cloudevents+json", True),
        ("application/x-ndjson", True),
        ("application/jsonl", True),
        ("application/json; charset=latin-1", False),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
        ("application/jsonx", False),
        ("", False),
    ],
)
def test_which_types_are_read(kind: str, is_known: bool):
    assert is_known_type(kind) is is_known
