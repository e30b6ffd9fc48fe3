"""The plan of Larkspur: who holds what when, how much of everything, and what is planted.

Pure data.  Every other module reads its numbers from here, and so does the truth.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

ZONE = "Europe/Berlin"


def berlin(text: str) -> datetime:
    """Return the instant a Berlin clock shows as ``text`` (ISO form, no offset)."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE))


WINDOW_FROM = berlin("2025-05-01")
WINDOW_UNTIL = berlin("2026-11-01")  # exclusive
CLOCK = berlin("2026-11-01T06:00")
SURVEYS_STOP = berlin("2026-10-26T18:00")

# --- Who holds what ---------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """One person's time in a seat: from ``since`` (inclusive) until the next term begins.

    Attributes:
        person: Who holds the seat; None while it is vacant.
        since: First instant of the term.

    """

    person: str | None
    since: datetime


@dataclass(frozen=True)
class Seat:
    """A seat, the touchpoints it answers for, and its terms in order of time."""

    name: str
    touchpoints: tuple[str, ...]
    terms: tuple[Term, ...]


def _terms(*held: tuple[str | None, str]) -> tuple[Term, ...]:
    return tuple(Term(person, berlin(since)) for person, since in held)


EVERYONE_STARTS = "2025-01-01"

SEATS = (
    Seat(
        "head_of_shop",
        ("product_discovery", "account_registration"),
        _terms(("ines", EVERYONE_STARTS), ("tomas", "2026-01-12")),
    ),
    Seat(
        "head_of_checkout",
        ("checkout", "payment", "order_confirmation"),
        _terms(("marek", EVERYONE_STARTS)),
    ),
    Seat(
        "head_of_warehouse",
        ("dispatch",),
        _terms(("lena", EVERYONE_STARTS), ("oskar", "2025-11-03T08:00")),
    ),
    Seat(
        "head_of_last_mile",
        ("delivery",),
        _terms(("bo", EVERYONE_STARTS), ("dana", "2026-08-14T14:30")),
    ),
    Seat(
        "head_of_service",
        ("help_desk", "chat"),
        _terms(("ruth", EVERYONE_STARTS), ("ali", "2026-03-16")),
    ),
    Seat(
        "head_of_returns",
        ("returns",),
        _terms(("petra", EVERYONE_STARTS), (None, "2026-03-02"), ("jonas", "2026-04-20")),
    ),
    Seat(
        "head_of_loyalty",
        ("relationship", "subscription_renewal"),
        _terms(("sofia", EVERYONE_STARTS)),
    ),
    Seat(
        "head_of_retention",
        ("cancellation", "account_closure"),
        _terms(("nina", EVERYONE_STARTS)),
    ),
)

UNOWNED_TOUCHPOINT = "referral"
WAIVED_UNTIL = berlin("2027-02-01")
WAIVER_ENDED = berlin("2026-09-01")

# Stage of a CRM row -> touchpoint; None: the stage belongs to no touchpoint.
STAGES: dict[str, str | None] = {
    "browsed": "product_discovery",
    "registered": "account_registration",
    "order_placed": "checkout",
    "payment_settled": "payment",
    "order_confirmed": "order_confirmation",
    "order_dispatched": "dispatch",
    "order_delivered": "delivery",
    "return_received": "returns",
    "refund_paid": "returns",
    "referral_made": "referral",
    "subscription_started": "subscription_renewal",
    "subscription_renewed": "subscription_renewal",
    "subscription_cancelled": "cancellation",
    "account_closed": "account_closure",
    "gift_card_sold": None,
}

# --- How much of everything (at scale 1) --------------------------------------------------


VOLUMES = {
    "customers": 40_000,
    "orders": 51_000,
    "browsed": 58_000,
    "returns": 5_900,
    "subscriptions": 3_300,
    "referrals": 5_000,
    "gift_cards": 9_000,
    "closures": 2_000,
    "tickets": 14_200,
}
SMALLEST_SCALE = 0.01  # below, there are too few rows to plant everything in


def volume(thing: str, scale: float) -> int:
    """Return how many of ``thing`` there are over the whole window at ``scale``."""
    return round(VOLUMES[thing] * scale)


REGISTERED_BEFORE = 0.30  # share of customers who registered before the window
FIRST_REGISTRATION = berlin("2022-01-01")
SEGMENTS = {"consumer": 0.68, "plus": 0.22, "business": 0.10}
REGIONS = {"north": 0.27, "south": 0.31, "east": 0.18, "west": 0.24}
WITH_EMAIL = 0.95
WITH_PHONE = 0.70

SHARED_EMAIL = "info@nordwind-kontor.example"
SHARED_EMAIL_BY = 60
SWITCHBOARD = ("30", "5550140")  # area code, number
SWITCHBOARD_BY = 45

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800  # seconds

# Stage of an order -> median wait since the stage before (s), spread of its logarithm.
ORDER_STEPS = (
    ("order_placed", 0, 0.0),
    ("payment_settled", 3 * MINUTE, 0.9),
    ("order_confirmed", 6 * MINUTE, 0.7),
    ("order_dispatched", 20 * HOUR, 0.6),
    ("order_delivered", 44 * HOUR, 0.4),
)

# Stage (or "order") -> share of each channel.
CHANNELS = {
    "browsed": {"web": 0.58, "app": 0.42},
    "registered": {"web": 0.60, "app": 0.34, "store": 0.06},
    "order": {"web": 0.55, "app": 0.36, "phone": 0.05, "store": 0.04},
    "return_received": {"web": 0.48, "app": 0.22, "store": 0.20, "phone": 0.10},
    "refund_paid": {"web": 0.50, "app": 0.15, "phone": 0.25, "email": 0.10},
    "referral_made": {"app": 0.50, "web": 0.30, "email": 0.20},
    "subscription": {"web": 0.55, "app": 0.40, "phone": 0.05},
    "gift_card_sold": {"store": 0.60, "web": 0.30, "app": 0.10},
    "account_closed": {"web": 0.60, "email": 0.25, "phone": 0.15},
}

# --- Surveys ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Survey:
    """A survey: what it asks about which touchpoint, how often, and how people truly feel.

    Attributes:
        name: Its name in the export.
        touchpoint: The touchpoint it asks about.
        questions: Of nps, csat and ces, those it asks.
        answers_a_week: Answer rows a week at scale 1.
        shares: True share of csat answers of 4 or 5, each from an instant on.
        fewest: Fewest answer rows a week, however small the scale.
        after: What an invitation follows: a CRM stage, ``ticket``, ``chat`` or ``customer``.

    """

    name: str
    touchpoint: str
    questions: tuple[str, ...]
    answers_a_week: int
    shares: tuple[tuple[datetime, float], ...]
    after: str
    fewest: int = 3

    def weekly(self, scale: float) -> int:
        """Return the answer rows a week at ``scale``."""
        return max(self.fewest, round(self.answers_a_week * scale))


def _share(first: float, *later: tuple[datetime, float]) -> tuple[tuple[datetime, float], ...]:
    return ((WINDOW_FROM, first), *later)


DELIVERY_DROPS = berlin("2026-09-07")
CHECKOUT_ACTION = berlin("2026-04-13")
HELP_ACTION = berlin("2026-05-04")  # changes nothing
REGISTRATION_DRIFTS = berlin("2026-07-01")

CSAT, BOTH, NPS = ("csat",), ("csat", "ces"), ("nps",)
_CHECKOUT = _share(0.84, (CHECKOUT_ACTION, 0.92))
_DELIVERY = _share(0.88, (DELIVERY_DROPS, 0.70))
_HELP = _share(0.88, (HELP_ACTION, 0.88))

SURVEYS = (
    Survey("shop", "product_discovery", CSAT, 50, _share(0.88), "browsed"),
    Survey("registration", "account_registration", BOTH, 40, _share(0.86), "registered"),
    Survey("checkout", "checkout", BOTH, 60, _CHECKOUT, "order_placed"),
    Survey("payment", "payment", CSAT, 30, _share(0.87), "payment_settled"),
    Survey("delivery", "delivery", CSAT, 70, _DELIVERY, "order_delivered", fewest=20),
    Survey("help", "help_desk", BOTH, 45, _HELP, "ticket"),
    Survey("chat", "chat", CSAT, 20, _share(0.87), "chat", fewest=20),
    Survey("returns", "returns", CSAT, 25, _share(0.88), "return_received"),
    Survey("relationship", "relationship", NPS, 60, (), "customer"),
    Survey("renewal", "subscription_renewal", CSAT, 25, _share(0.89), "subscription_renewed"),
    Survey("referral", "referral", CSAT, 15, _share(0.90), "referral_made"),
    Survey("cancellation", "cancellation", BOTH, 15, _share(0.88), "subscription_cancelled"),
    Survey("closure", "account_closure", CSAT, 6, _share(0.86), "account_closed"),
)
SURVEY = {survey.name: survey for survey in SURVEYS}
# Surveys whose invitations name the order or ticket they follow.
REFERRING = ("checkout", "payment", "delivery", "help", "chat", "returns")

RESPONSE = 0.35  # share of invitations answered
EASY = 0.82  # true share of ces answers of 5 to 7
SKIPS_EFFORT = 0.06  # share of answers that leave the ces question empty
PROMOTERS, DETRACTORS = 0.52, 0.14
SURVEY_CHANNELS = {"email": 0.80, "sms": 0.12, "web": 0.08}

# The registration survey: how each segment truly rates (0.86 over all when sampled fairly),
# and the segment that receives most invitations once the sampling has drifted.
DRIFT_SEGMENT = "plus"
DRIFT_SHARE = 0.80
REGISTRATION_SHARES = {"plus": 0.93, "consumer": 0.84, "business": 0.84}

CHAT_GOAL = 0.80

# --- The help desk ------------------------------------------------------------------------

TICKET_CHANNELS = {"email": 0.42, "phone": 0.28, "chat": 0.30}
PRIORITIES = {"low": 0.25, "normal": 0.60, "high": 0.15}
# Channel -> median wait for the first reply (s).
FIRST_REPLY = {"email": 4 * HOUR, "phone": 20 * MINUTE, "chat": 4 * MINUTE}

FRONT_DESK, FULFILMENT, CARRIER_DESK = "Front Desk", "Fulfilment", "Carrier Desk"
PING_PONG_CATEGORY = "missing_parcel"
BOUNCES = (2, 5)  # fewest and most moves between the two groups, both inclusive


@dataclass(frozen=True)
class Category:
    """A ticket category: its share of tickets, and how often it leaves the front desk where to."""

    share: float
    handed_over: float
    to: str


CATEGORIES = {
    PING_PONG_CATEGORY: Category(0.15, 1.0, FULFILMENT),
    "payment": Category(0.20, 0.40, "Payments Desk"),
    "return": Category(0.20, 0.42, "Returns Desk"),
    "order": Category(0.25, 0.40, FULFILMENT),
    "other": Category(0.20, 0.18, CARRIER_DESK),
}
REOPENED = 0.06

# --- Dirt: exact counts, whatever the scale -------------------------------------------------

BROKEN_HISTORY = {
    "unknown_stage": 37,
    "unreadable_time": 25,
    "negative_amount": 18,
    "missing_customer": 12,
    "time_before_1970": 9,
    "time_in_future": 7,
}
REPEATED_HISTORY = {"identical_row": 60, "reused_id": 20}
BROKEN_ANSWERS = {"csat_out_of_range": 41, "cut_row": 15, "not_utf8": 6}
CUT_TICKETS = 11  # lines that are not JSON
UNDATED_ENTRIES = 5  # ticket entries without an instant

COPIED_MONTH = "2026-03"
COPY_EXPORTED = berlin("2026-04-07T11:20")
LATE_MONTH = "2026-02"
LATE_FILE = "history_2026-05_late.csv"
LATE_EXPORTED = berlin("2026-05-21T16:45")
LATE_ROWS, FEWEST_LATE_ROWS = 300, 30

# --- Planted in the company's register ------------------------------------------------------

SHADOWED_RULE, SHADOWED_BY = "refunds_by_phone", "returns_desk"
