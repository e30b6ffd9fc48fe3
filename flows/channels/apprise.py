"""Any other service, through apprise: the person's address, or the channel's, is an apprise URL."""

from contracts.alert_settings import Channel
from flows.channels import Environment, Outcome, Outgoing, secret

NEEDS: frozenset[str] = frozenset()
DEDUPES = False


def send(outgoing: Outgoing, channel: Channel, environment: Environment) -> Outcome:
    """Hand it to apprise. It does not say why it failed, so a retry may help and it may have arrived."""
    from apprise import Apprise, NotifyFormat  # noqa: PLC0415 - slow to import

    service = Apprise()
    address = outgoing.address or secret(channel.url_from, environment)
    if not service.add(address):
        return Outcome("refused", "the address is no apprise URL")
    body, title = outgoing.rendered.text, outgoing.rendered.subject
    if service.notify(body=body, title=title, body_format=NotifyFormat.TEXT):
        return Outcome("sent", "apprise took it")
    return Outcome("again", "apprise could not deliver it", is_unsure=True)
