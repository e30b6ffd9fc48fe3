"""Who may push: every vendor's signature, written here by its own documents, and everything that only looks like one."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import ValidationError

from contracts.receiving import SCHEMES, Receive, SchemeName
from flows.serving.signatures import Call, secrets_of, verify

NOW = 1_772_000_000.0
SECRET = "correct horse battery staple"  # noqa: S105 - of these tests
BODY = b'{"id":"evt_1","score":4}'
URL = "https://answers.example/hooks/chat"


def mac(signed: bytes, secret: bytes = SECRET.encode()) -> bytes:
    return hmac.new(secret, signed, hashlib.sha256).digest()


def b64(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


def iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


# Each written from the vendor's description, not from our declarations.
SENDERS: dict[SchemeName, Callable[[bytes, float], dict[str, str]]] = {
    "bearer": lambda _, __: {"authorization": f"Bearer {SECRET}"},
    "token": lambda _, __: {"x-webhook-token": SECRET},
    "github": lambda body, _: {"x-hub-signature-256": "sha256=" + mac(body).hex()},
    "shopify": lambda body, _: {"x-shopify-hmac-sha256": b64(mac(body))},
    "typeform": lambda body, _: {"typeform-signature": "sha256=" + b64(mac(body))},
    "slack": lambda body, at: {
        "x-slack-request-timestamp": f"{at:.0f}",
        "x-slack-signature": "v0=" + mac(f"v0:{at:.0f}:".encode() + body).hex(),
    },
    "stripe": lambda body, at: {
        "stripe-signature": f"t={at:.0f},v0=6ffbb59b2300aae63f,v1={mac(f'{at:.0f}.'.encode() + body).hex()}"
    },
    "zendesk": lambda body, at: {
        "x-zendesk-webhook-signature-timestamp": iso(at),
        "x-zendesk-webhook-signature": b64(mac(iso(at).encode() + body)),
    },
    "hubspot": lambda body, at: {
        "x-hubspot-request-timestamp": f"{at * 1000:.0f}",
        "x-hubspot-signature-v3": b64(mac(b"POST" + URL.encode() + body + f"{at * 1000:.0f}".encode())),
    },
    "standard": lambda body, at: {
        "webhook-id": "msg_1",
        "webhook-timestamp": f"{at:.0f}",
        "webhook-signature": "v1a,unknown v1," + b64(mac(f"msg_1.{at:.0f}.".encode() + body)),
    },
}
DATED = [name for name, scheme in SCHEMES.items() if scheme.is_dated]


def receive(name: SchemeName, **more: object) -> Receive:
    return Receive.model_validate({"scheme": name, "secret_from": "CHAT", "url": URL, **more})


def call(name: SchemeName, at: float = NOW, body: bytes = BODY) -> Call:
    return Call(SENDERS[name](body, at), body, "POST", URL)


@pytest.mark.parametrize("name", SCHEMES)
def test_what_the_vendor_signs_is_authentic(name: SchemeName):
    assert verify(receive(name), [SECRET], call(name), NOW) == "authentic"


@pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if scheme.proof == "hmac"])
def test_a_changed_body_is_forged(name: SchemeName):
    for body in (BODY + b" ", BODY.replace(b"4", b"5"), b""):
        assert verify(receive(name), [SECRET], replace(call(name), body=body), NOW) == "forged"


@pytest.mark.parametrize("name", SCHEMES)
def test_another_secret_is_forged(name: SchemeName):
    assert verify(receive(name), ["another secret that is wrong"], call(name), NOW) == "forged"
    assert verify(receive(name), [], call(name), NOW) == "forged"


@pytest.mark.parametrize("name", SCHEMES)
def test_every_header_is_needed_and_none_may_be_cut(name: SchemeName):
    whole = call(name)
    for header, value in whole.headers.items():
        without = {key: told for key, told in whole.headers.items() if key != header}
        assert verify(receive(name), [SECRET], replace(whole, headers=without), NOW) == "forged"
        for wrong in {"", value[:-1], value[:8], "\xff" * 40, value + "x"} - {value}:
            told = replace(whole, headers={**whole.headers, header: wrong})
            assert verify(receive(name), [SECRET], told, NOW) == "forged", (header, wrong)


@pytest.mark.parametrize("name", DATED)
@pytest.mark.parametrize(
    ("age", "verdict"), [(299, "authentic"), (302, "stale"), (-299, "authentic"), (-302, "stale")]
)
def test_what_was_sent_long_ago_or_by_a_wrong_clock_is_stale(name: SchemeName, age: float, verdict: str):
    assert verify(receive(name), [SECRET], call(name, NOW - age), NOW) == verdict


@pytest.mark.parametrize("name", DATED)
def test_an_old_signature_under_a_new_date_is_forged(name: SchemeName):
    old, new = call(name, NOW - 4000), call(name)
    if name == "stripe":
        mixed = {"stripe-signature": f"t={NOW:.0f},{old.headers['stripe-signature'].split(',', 1)[1]}"}
    else:
        header = SCHEMES[name].header.lower()
        mixed = {**new.headers, header: old.headers[header]}
    assert verify(receive(name), [SECRET], replace(new, headers=mixed), NOW) == "forged"


@pytest.mark.parametrize(
    "written", ["", "now", "nan", "inf", "1e9", "-5", "٣", "2026-02-25T06:13:20", "9" * 15]
)
def test_a_date_that_is_none_is_stale_even_when_it_is_signed(written: str):
    headers = {
        "x-slack-request-timestamp": written,
        "x-slack-signature": "v0=" + mac(f"v0:{written}:".encode("latin-1", "replace") + BODY).hex(),
    }
    assert verify(receive("slack"), [SECRET], Call(headers, BODY), NOW) == "stale"


def test_two_instants_in_one_signature_are_forged():
    sent = call("stripe").headers["stripe-signature"]
    doubled = Call({"stripe-signature": f"t={NOW - 9:.0f},{sent}"}, BODY)
    assert verify(receive("stripe"), [SECRET], doubled, NOW) == "forged"


def test_while_a_secret_is_changed_both_are_good():
    environment = {"CHAT": "the new secret, long enough", "OLD": SECRET}
    changing = receive("github", previous_secret_from="OLD")  # noqa: S106 - a name
    both = secrets_of(changing, environment)
    assert verify(receive("github"), both, call("github"), NOW) == "authentic"
    assert (
        verify(receive("github"), secrets_of(receive("github"), environment), call("github"), NOW) == "forged"
    )


def test_a_short_secret_counts_as_none():
    assert secrets_of(receive("github"), {"CHAT": "short"}) == []


def test_a_standard_secret_is_written_in_base64():
    raw = bytes(range(24))
    sent = call("standard")
    made = b64(mac(f"msg_1.{NOW:.0f}.".encode() + BODY, raw))
    signed = replace(sent, headers={**sent.headers, "webhook-signature": f"v1,{made}"})
    assert verify(receive("standard"), [f"whsec_{b64(raw)}"], signed, NOW) == "authentic"
    assert verify(receive("standard"), ["whsec_no base64 at all!"], signed, NOW) == "forged"


def test_a_scheme_of_ones_own_is_a_declaration():
    own = {
        "header": "X-Sign",
        "signs": "{id}|{body}",
        "algorithm": "sha512",
        "encoding": "base64",
        "id": "X-Id",
    }
    made = base64.b64encode(hmac.new(SECRET.encode(), b"7|" + BODY, hashlib.sha512).digest()).decode()
    asked = Receive.model_validate({"scheme": own, "secret_from": "CHAT"})
    assert verify(asked, [SECRET], Call({"x-sign": made, "x-id": "7"}, BODY), NOW) == "authentic"
    assert verify(asked, [SECRET], Call({"x-sign": made, "x-id": "8"}, BODY), NOW) == "forged"


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ({"scheme": "hubspot", "url": None}, "write the 'url'"),
        ({"scheme": "github", "delivery_id": {"header": "X-GitHub-Delivery"}}, "is not signed"),
        ({"scheme": "bearer", "delivery_id": {"header": "X-Id", "body": "id"}}, "Name a 'header' or a path"),
        ({"scheme": "bearer", "delivery_id": {}}, "Name a 'header' or a path"),
        ({"scheme": "gitlab"}, "Input should be 'bearer', 'github'"),
        ({"scheme": {"header": "X", "signs": "{timestamp}{body}"}}, "Name the header with the 'timestamp'"),
        ({"scheme": {"header": "X", "timestamp": "Y"}}, "Name the header with the 'timestamp'"),
        ({"scheme": {"header": "X", "id": "Y"}}, "Name the header with the 'id'"),
        ({"scheme": {"header": "X", "signs": "{timestamp}"}}, "Write what is signed with {body}"),
        ({"scheme": {"header": "X", "signs": "{body}{secret}"}}, "Known: {body}"),
        ({"limit_bytes": 10}, "greater than or equal to 1000"),
    ],
)
def test_a_hook_that_could_not_be_believed_is_refused(flaw: dict, said: str):
    with pytest.raises(ValidationError) as refused:
        Receive.model_validate({"scheme": "bearer", "secret_from": "CHAT", **flaw})
    assert said in str(refused.value)


def test_a_header_may_name_a_delivery_where_it_is_signed_or_the_sender_holds_the_secret():
    assert receive("standard", delivery_id={"header": "webhook-id"}).delivery_id is not None
    assert receive("bearer", delivery_id={"header": "X-Id"}).delivery_id is not None
