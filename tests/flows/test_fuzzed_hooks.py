"""Strangers at the door: whatever they send, it survives, keeps what is sound, and nothing else."""

import os
import random
import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.flows.hooks import SECRET, answer, build_hooked, post, read, serving, signed
from warehouse.inbox import Inbox
from warehouse.ledger import Ledger

REQUESTS = int(os.environ.get("ANSWERABLE_FUZZ", "400"))
SEED = 20_261_128
_TYPES = [
    "application/json",
    "application/x-ndjson",
    "text/html",
    "application/json; charset=utf-16",
    "",
    "\xff",
]
_PATHS = [
    "/hooks/chat",
    "/hooks/survey",
    "/hooks/%00",
    "/hooks/../../etc/passwd",
    "/hooks/",
    "//",
    "/hooks/chat?x=1",
]
_EXPECTED = {200, 202, 400, 401, 403, 404, 405, 408, 409, 411, 413, 415, 422, 429, 431}


class Stranger:
    """Makes requests as bytes: sound ones, and what is left of them after they were mangled."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.sound: set[str] = set()
        self.number = 0

    def request(self) -> tuple[bytes, bool]:
        """Some request, and whether its end can be told from it."""
        self.number += 1
        whole = [self._sound, self._signed_nonsense, self._forged]
        way = self.chance.choices([*whole, self._framed, self._mangled, self._noise], [2, 3, 2, 2, 4, 1])[0]
        return way(), way in whole

    def _sound(self) -> bytes:
        ident = f"f{self.number}"
        self.sound.add(ident)
        body = answer(ident)
        return _raw("POST", "/hooks/chat", signed(body), body)

    def _signed_nonsense(self) -> bytes:
        """Signed, so that it gets as far as it can."""
        body = bytearray(answer(f"n{self.number}"))
        for _ in range(self.chance.randrange(1, 6)):
            place = self.chance.randrange(len(body))
            body[place : place + self.chance.randrange(3)] = self.chance.choice(
                [b"\0", b"\xff", b'"', b"{", b"[", b"\n", b"1e999", b"\\u0000", b"\\ud800", b"}" * 9]
            )
        whole = self.chance.choice(
            [bytes(body), b"[" * 5000, b"{}", b"[{}]", b"", b"9" * 5000, bytes(body) * 50]
        )
        headers = {**signed(whole), "content-type": self.chance.choice(_TYPES[:2] * 4 + _TYPES)}
        return _raw("POST", "/hooks/chat", headers, whole)

    def _forged(self) -> bytes:
        body = answer(f"x{self.number}")
        headers = signed(body, self.chance.choice(["a secret of somebody else", SECRET + " ", SECRET[:-1]]))
        wrong = self.chance.choice(["sha256=", "sha1=00", "\xe9" * 64, "sha256=" + "0" * 64, "a" * 9000])
        if self.chance.random() < 0.5:
            headers["x-hub-signature-256"] = wrong
        path = self.chance.choice(_PATHS)
        return _raw(self.chance.choice(["POST", "PUT", "GET", "BREW"]), path, headers, body)

    def _framed(self) -> bytes:
        """Lengths and encodings that contradict what comes."""
        body = answer(f"l{self.number}")
        length = self.chance.choice(
            ["-1", "0", "1e3", "999999999999", str(len(body) * 2), str(len(body) - 1), "x"]
        )
        head = {**signed(body), "content-length": length}
        if self.chance.random() < 0.4:
            head["transfer-encoding"] = self.chance.choice(["chunked", "gzip, chunked", "identity"])
        return _raw("POST", "/hooks/chat", head, body)

    def _mangled(self) -> bytes:
        raw = bytearray(_raw("POST", self.chance.choice(_PATHS), signed(b"{}"), b"{}"))
        for _ in range(self.chance.randrange(1, 20)):
            raw[self.chance.randrange(len(raw))] = self.chance.randrange(256)
        return bytes(raw[: self.chance.randrange(1, len(raw) + 1)])

    def _noise(self) -> bytes:
        return self.chance.randbytes(self.chance.randrange(1, 3000))


def _raw(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    told = {"host": "x", "connection": "close", "content-length": str(len(body)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _sent(port: int, raw: bytes, is_whole: bool) -> int:
    """The status of an answer; 0 when there is none. Who leaves a request open hangs up at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(raw)
            if not is_whole:
                connection.shutdown(socket.SHUT_WR)
            said = connection.recv(64)
        except OSError:
            return 0
    return int(said[9:12]) if said.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.slow
def test_whatever_strangers_send_the_receiver_goes_on_and_keeps_what_is_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sandbox = build_hooked(tmp_path / "workspace")
    sandbox.replace("feeds/chat.yaml", "CHAT_SECRET}", "CHAT_SECRET, limit_bytes: 4000, per_minute: 1000000}")
    stranger, answers = Stranger(SEED), Counter[int]()
    with serving(sandbox.root) as one:
        for _ in range(REQUESTS):
            answers[_sent(one.port, *stranger.request())] += 1
        assert read(one.port, "/healthz") == (200, "ok\n")
        assert post(one.port, answer("the last one")) == 202
    assert one.process.returncode == 0, one.log[-3000:]
    assert "Traceback" not in one.log
    assert set(answers) <= {0, *_EXPECTED}, answers
    assert {200, 202, 401, 422} <= {*answers, 200}
    sandbox.run()
    assert Inbox(Ledger(sandbox.root / "warehouse")).counts().keys() == {"landed"}
    lines = "".join(path.read_text() for path in (sandbox.root / "inbox/chat").glob("*.jsonl"))
    kept = {ident for ident in stranger.sound if f'"answer_id": "{ident}"' in lines}
    assert kept == stranger.sound, "what is sound is kept"
    for never in ("x", "l"):
        assert f'"answer_id": "{never}' not in lines, "nothing that was forged or cut is"
    with capsys.disabled():
        print(f"\n{REQUESTS} requests: {dict(sorted(answers.items()))}, {len(stranger.sound)} sound")  # noqa: T201
