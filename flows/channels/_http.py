"""One POST, bounded in time and size, and what its answer means for a letter."""

import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from flows.channels import Outcome

_ANSWER_MAX = 4096
_WAIT_MAX = 86_400.0
_TRY_AGAIN = frozenset({408, 409, 423, 425, 429})


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float, now: datetime) -> Outcome:
    """Send a body once.

    2xx is sent; 408, 409, 423, 425, 429 and 5xx are tried again, when Retry-After says so; any other
    answer, a redirect included, is refused. Without an answer it is tried again; it may have arrived when
    the connection stood. Addresses are never told: they may be secret.

    Args:
        url: Where to.
        body: What.
        headers: Its headers.
        timeout_seconds: How long the whole attempt may take, roughly.
        now: The real instant, for dates in Retry-After.
    """
    client = httpx.Client(timeout=httpx.Timeout(timeout_seconds), follow_redirects=False, verify=trusted())
    # A server that drips bytes never meets the timeout of a single read.
    stop = threading.Timer(timeout_seconds, client.close)
    stop.daemon = True
    try:
        with client:
            stop.start()
            with client.stream("POST", url, content=body, headers=dict(headers)) as response:
                return _judged(response, _beginning(response), now)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        return Outcome("again", f"no connection ({type(error).__name__})")
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
        return Outcome("refused", f"the address cannot be used ({type(error).__name__})")
    except (httpx.TransportError, httpx.StreamError, OSError, RuntimeError) as error:
        return Outcome("again", f"no answer ({type(error).__name__})", is_unsure=True)
    finally:
        stop.cancel()


def retry_after(written: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait, at most a day; None when it says nothing usable.

    Seconds or a date (RFC 9110, 10.2.3).
    """
    if written is None:
        return None
    text = written.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _WAIT_MAX)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), _WAIT_MAX)


@cache
def trusted() -> ssl.SSLContext:
    """Who is trusted; read once, because reading it takes longer than a letter."""
    return httpx.create_ssl_context()


def _judged(response: httpx.Response, said: str, now: datetime) -> Outcome:
    status = response.status_code
    if response.is_success:
        return Outcome("sent", said)
    what = f"HTTP {status}" + (f": {said}" if said else "")
    if status in _TRY_AGAIN or response.is_server_error:
        return Outcome("again", what, after_seconds=retry_after(response.headers.get("retry-after"), now))
    return Outcome("refused", what)


def _beginning(response: httpx.Response) -> str:
    """The first signs of an answer, in one line; what comes after them is not read."""
    content = b""
    with suppress(httpx.DecodingError):  # its status says what became of the letter
        for part in response.iter_bytes():
            content += part
            if len(content) >= _ANSWER_MAX:
                break
    text = content[:_ANSWER_MAX].decode("utf-8", "replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]
