"""E-mail. The Message-ID is the letter's idempotency key, but few mail servers look at it."""

import smtplib
import ssl
import threading
from concurrent.futures import Future
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing, secret

NEEDS = frozenset({"host", "sender"})
DEDUPES = False

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
    """Hand it to the mail server, within the channel's time. A retry helps against 4xx and lost connections, not against 5xx."""
    if outgoing.address is None:
        return Outcome("refused", f"no address is known for {outgoing.letter.person!r}")
    lines = {
        "the channel's 'sender'": channel.sender,
        f"the address of {outgoing.letter.person!r}": outgoing.address,
    }
    for what, line in lines.items():
        if not (line or "").isprintable():
            return Outcome(
                "refused", f"{what} has a line break or another sign that cannot be shown: mend it"
            )
    user = None
    if channel.user_from is not None:
        user = secret(channel.user_from, environment), secret(channel.password_from, environment)
    return _Attempt(message(outgoing, channel, outgoing.address), channel, user).within(
        channel.timeout_seconds
    )


class _Attempt:
    """One conversation with the mail server, in a thread of its own: a server that drips never meets a timeout."""

    def __init__(self, mail: EmailMessage, channel: Channel, user: tuple[str, str] | None) -> None:
        self._mail, self._channel, self._user = mail, channel, user
        self._step: Literal["connecting", "handing over", "done", "given up"] = "connecting"
        self._lock = threading.Lock()

    def within(self, seconds: float) -> Outcome:
        """How it ended; what had not begun to hand the mail over when the time was up never will."""
        ended: Future[Outcome] = Future()

        def work() -> None:
            try:
                ended.set_result(self._made())
            except BaseException as error:  # noqa: BLE001 - told to whoever waits
                ended.set_exception(error)

        threading.Thread(target=work, name="mail", daemon=True).start()
        try:
            return ended.result(seconds)
        except TimeoutError as error:
            with self._lock:
                step, self._step = self._step, "given up"
            return self._unanswered(error, step)

    def _made(self) -> Outcome:
        try:
            with _server(self._channel) as server:
                if self._user is not None:
                    server.login(*self._user)
                self._go_on("handing over")
                server.send_message(self._mail)
                self._go_on("done")
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=550)
            return _answered(code, "the recipient is refused")
        except smtplib.SMTPResponseException as error:
            return _answered(error.smtp_code, type(error).__name__)
        except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
            return Outcome("refused", f"{type(error).__name__}: mend the channel's settings")
        except UnicodeError:
            return Outcome(
                "refused", f"{self._channel.host!r} is no name of a server: mend the channel's 'host'"
            )
        except (smtplib.SMTPException, OSError) as error:
            return self._unanswered(error, self._step)
        return Outcome("sent", self._mail["Message-ID"])

    def _go_on(self, step: Literal["handing over", "done"]) -> None:
        with self._lock:
            if self._step == "given up":
                raise TimeoutError
            self._step = step

    def _unanswered(self, error: Exception, step: str) -> Outcome:
        if step == "done":  # a goodbye that fails does not take the mail back
            return Outcome("sent", self._mail["Message-ID"])
        return Outcome("again", f"no answer ({type(error).__name__})", is_unsure=step == "handing over")


def message(outgoing: Outgoing, channel: Channel, address: str) -> EmailMessage:
    """The mail: plain text, and HTML beside it."""
    mail = EmailMessage()
    sender = channel.sender or ""
    mail["Subject"] = " ".join(outgoing.rendered.subject.split())
    mail["From"] = sender
    mail["To"] = address
    mail["Date"] = format_datetime(outgoing.attempt_at)
    mail["Message-ID"] = f"<{outgoing.id}@{sender.rpartition('@')[2].rstrip('>') or 'answerable'}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(outgoing.rendered.text)
    mail.add_alternative(f"<!doctype html><html><body>{outgoing.rendered.html}</body></html>", subtype="html")
    return mail


def _server(channel: Channel) -> smtplib.SMTP:
    host, port = channel.host or "", channel.port or _PORTS[channel.security]
    if channel.security == "tls":
        return smtplib.SMTP_SSL(
            host, port, timeout=channel.timeout_seconds, context=ssl.create_default_context()
        )
    server = smtplib.SMTP(host, port, timeout=channel.timeout_seconds)
    if channel.security == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server


def _answered(code: int, what: str) -> Outcome:
    return Outcome("again" if 400 <= code < 500 else "refused", f"SMTP {code}: {what}")
