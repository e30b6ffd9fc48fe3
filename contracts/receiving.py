"""What a push feed says of its hook: how a delivery proves where it comes from, and how much is taken.

A *scheme* is a declaration: which header holds the signature, what it signs, how it is written. The vendors' are
in `SCHEMES`; any other is written in the feed's YAML in the same words.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from contracts.alert_settings import Variable
from contracts.documents import Declaration

PART = re.compile(r"\{([a-z_]*)\}")
"""A part of what is signed."""
_PARTS = ("body", "timestamp", "id", "method", "url")

Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=80)]


def _template(written: str) -> str:
    parts = PART.findall(written)
    if "body" not in parts or any(part not in _PARTS for part in parts):
        known = ", ".join(f"{{{part}}}" for part in _PARTS)
        message = f"Write what is signed with {{body}} in it, like '{{timestamp}}.{{body}}'. Known: {known}."
        raise ValueError(message)
    return written


class Scheme(Declaration):
    """How a delivery proves where it comes from.

    Attributes:
        header: The header with the signature, or with the secret itself.
        proof: `hmac`, a signature made with the secret; `token`, the secret itself.
        signs: What the signature is made of: `{body}`, `{timestamp}`, `{id}`, `{method}`, `{url}` and plain text.
        algorithm: The hash of the HMAC.
        encoding: How the signature is written.
        prefix: What stands before it.
        layout: `one` value; a `list` of values with blanks between, as while keys change; or `pairs`, like
            `t=1700000000,v1=5257...`, with the instant under `t` and signatures under `v1`.
        timestamp: The header with the instant that is signed.
        id: The header with the delivery's id that is signed.
        secret_prefix: What stands before a secret that is written in base64, like `whsec_`.
        challenge: A text of the body that is answered when the body's `type` is `url_verification`.
    """

    header: Header
    proof: Literal["hmac", "token"] = "hmac"
    signs: Annotated[str, AfterValidator(_template)] = "{body}"
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    layout: Literal["one", "list", "pairs"] = "one"
    timestamp: Header | None = None
    id: Header | None = None
    secret_prefix: str | None = None
    challenge: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Scheme":
        if ("timestamp" in self.parts) != self.is_dated:
            message = "Name the header with the 'timestamp' and put {timestamp} into 'signs', or neither."
            raise ValueError(message)
        if ("id" in self.parts) != (self.id is not None):
            message = "Name the header with the 'id' and put {id} into 'signs', or neither."
            raise ValueError(message)
        return self

    @property
    def parts(self) -> frozenset[str]:
        """What the signature is made of."""
        return frozenset(PART.findall(self.signs)) if self.proof == "hmac" else frozenset()

    @property
    def is_dated(self) -> bool:
        """Whether a delivery says when it was sent, so that an old one can be refused."""
        return self.timestamp is not None or (self.layout == "pairs" and self.proof == "hmac")


SchemeName = Literal[
    "bearer", "github", "hubspot", "shopify", "slack", "standard", "stripe", "token", "typeform", "zendesk"
]

SCHEMES: Mapping[SchemeName, Scheme] = {
    "bearer": Scheme(header="Authorization", proof="token", prefix="Bearer "),
    "github": Scheme(header="X-Hub-Signature-256", prefix="sha256="),
    "hubspot": Scheme(
        header="X-HubSpot-Signature-v3",
        signs="{method}{url}{body}{timestamp}",
        encoding="base64",
        timestamp="X-HubSpot-Request-Timestamp",
    ),
    "shopify": Scheme(header="X-Shopify-Hmac-Sha256", encoding="base64"),
    "slack": Scheme(
        header="X-Slack-Signature",
        signs="v0:{timestamp}:{body}",
        prefix="v0=",
        timestamp="X-Slack-Request-Timestamp",
        challenge="challenge",
    ),
    "standard": Scheme(
        header="Webhook-Signature",
        signs="{id}.{timestamp}.{body}",
        encoding="base64",
        prefix="v1,",
        layout="list",
        timestamp="Webhook-Timestamp",
        id="Webhook-Id",
        secret_prefix="whsec_",  # noqa: S106 - what every such secret begins with
    ),
    "stripe": Scheme(header="Stripe-Signature", signs="{timestamp}.{body}", layout="pairs"),
    "token": Scheme(header="X-Webhook-Token", proof="token"),
    "typeform": Scheme(header="Typeform-Signature", encoding="base64", prefix="sha256="),
    "zendesk": Scheme(
        header="X-Zendesk-Webhook-Signature",
        signs="{timestamp}{body}",
        encoding="base64",
        timestamp="X-Zendesk-Webhook-Signature-Timestamp",
    ),
}
"""The vendors' schemes by name. `standard` is Standard Webhooks; `bearer` and `token` are plain secrets."""

SECRET_MIN = 16
"""Characters that a secret has at least; a shorter one counts as not set."""


class DeliveryId(Declaration):
    """Where a delivery says which one it is; its content says so when absent.

    Attributes:
        header: A header that the scheme signs, or any header under a scheme with a plain secret.
        body: A path in the body, like `event.id`.
    """

    header: Header | None = None
    body: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _one_place(self) -> "DeliveryId":
        if (self.header is None) == (self.body is None):
            message = "Name a 'header' or a path in the 'body'."
            raise ValueError(message)
        return self


class Receive(Declaration):
    """How a push feed's deliveries are received at `/hooks/<feed>`.

    Attributes:
        scheme: A vendor's scheme by name, or one that is declared here.
        secret_from: Environment variable with the secret.
        previous_secret_from: Environment variable with the one before, while it is being changed.
        window_seconds: A signed delivery that was sent longer ago, or so far ahead, is refused.
        limit_bytes: A bigger body is refused.
        per_minute: How many deliveries are taken a minute; as many may come at once.
        delivery_id: Where a delivery says which one it is.
        headers: Headers to keep beside the body, as `answerable.headers.<name>` in lower case with `_` for `-`.
        url: The address as the sender knows it, for schemes that sign it.
    """

    scheme: SchemeName | Scheme
    secret_from: Variable
    previous_secret_from: Variable | None = None
    window_seconds: int = Field(default=300, ge=1, le=86_400)
    limit_bytes: int = Field(default=500_000, ge=1_000, le=64_000_000)
    per_minute: int = Field(default=6_000, ge=1, le=1_000_000)
    delivery_id: DeliveryId | None = None
    headers: tuple[Header, ...] = Field(default=(), max_length=20)
    url: str | None = Field(default=None, pattern="^https?://")

    @model_validator(mode="after")
    def _fits_its_scheme(self) -> "Receive":
        rules = self.rules
        named = self.delivery_id.header if self.delivery_id else None
        signed = (rules.id or "").lower()
        if named is not None and rules.proof == "hmac" and named.lower() != signed:
            message = (
                f"Header {named!r} is not signed: whoever repeats a delivery could give it another id. "
                "Name a path in the 'body', or drop 'delivery_id': the content tells then."
            )
            raise ValueError(message)
        if "url" in rules.parts and self.url is None:
            message = "This scheme signs the address: write the 'url' that the sender calls."
            raise ValueError(message)
        return self

    @property
    def rules(self) -> Scheme:
        """The scheme itself."""
        return self.scheme if isinstance(self.scheme, Scheme) else SCHEMES[self.scheme]
