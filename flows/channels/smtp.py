"""E-mail. The Message-ID is the letter's idempotency key, but few mail servers look at it."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing, secret

NEEDS = frozenset({"host", "sender"})
DEDUPES = False

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
    """Hand it to the mail server. A retry helps against 4xx and lost connections, not against 5xx."""
    if outgoing.address is None:
        return Outcome("refused", f"no address is known for {outgoing.letter.person!r}")
    step = "connecting"
    mail = message(outgoing, channel, outgoing.address)
    try:
        with _server(channel) as server:
            if channel.user_from is not None:
                server.login(
                    secret(channel.user_from, environment), secret(channel.password_from, environment)
                )
            step = "handing over"
            server.send_message(mail)
            step = "done"
    except smtplib.SMTPRecipientsRefused as error:
        code = max((code for code, _ in error.recipients.values()), default=550)
        return _answered(code, "the recipient is refused")
    except smtplib.SMTPResponseException as error:
        return _answered(error.smtp_code, type(error).__name__)
    except (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError) as error:
        return Outcome("refused", f"{type(error).__name__}: mend the channel's settings")
    except (smtplib.SMTPException, OSError) as error:
        if step != "done":  # a goodbye that fails does not take the mail back
            return Outcome("again", f"no answer ({type(error).__name__})", is_unsure=step == "handing over")
    return Outcome("sent", mail["Message-ID"])


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
