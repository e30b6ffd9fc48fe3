"""One-click links: what was signed is what is asked for, and nothing else is."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.links import Link, LinkRefusedError, sign, verify

KEY = b"a key of at least sixteen bytes"
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
LINK = Link("ack", "8c1f00aa11", "dana", NOW + timedelta(days=14))


def test_a_link_says_what_was_signed():
    assert verify(sign(LINK, KEY), KEY, NOW) == LINK


def test_a_link_ends():
    token = sign(LINK, KEY)
    assert verify(token, KEY, LINK.expires_at - timedelta(seconds=1)) == LINK
    with pytest.raises(LinkRefusedError, match="expired"):
        verify(token, KEY, LINK.expires_at)


def test_another_key_signs_nothing_of_ours():
    with pytest.raises(LinkRefusedError, match="forged"):
        verify(sign(LINK, b"another key of sixteen bytes"), KEY, NOW)
    with pytest.raises(ValueError, match="fewer than 16 bytes"):
        sign(LINK, b"short")
    with pytest.raises(LinkRefusedError, match="forged"):
        verify(sign(LINK, KEY), b"", NOW)


@given(st.integers(0, 10**6), st.characters())
def test_a_changed_sign_is_a_forgery(place: int, sign_: str):
    token = sign(LINK, KEY)
    place %= len(token)
    changed = token[:place] + sign_ + token[place + 1 :]
    if changed != token:
        with pytest.raises(LinkRefusedError, match="forged"):
            verify(changed, KEY, NOW)


@given(st.text(max_size=2000))
def test_whatever_is_no_token_is_a_forgery(token: str):
    with pytest.raises(LinkRefusedError, match="forged"):
        verify(token, KEY, NOW)


def test_a_body_of_one_link_does_not_go_with_the_signature_of_another():
    first, second = sign(LINK, KEY), sign(Link("dispute", "8c1f00aa11", "dana", LINK.expires_at), KEY)
    with pytest.raises(LinkRefusedError, match="forged"):
        verify(f"{second.split('.')[0]}.{first.split('.')[1]}", KEY, NOW)
    body = urlsafe_b64encode(json.dumps(["ack", "x", "y", 9e9]).encode()).decode().rstrip("=")
    with pytest.raises(LinkRefusedError, match="forged"):
        verify(f"{body}.", KEY, NOW)
