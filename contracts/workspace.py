"""The workspace: the folder a user keeps in git, and what stands in its `answerable.yaml`."""

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from contracts.accountability import Title
from contracts.alert_settings import Alerts
from contracts.documents import Declaration, Moment
from contracts.zones import Zone

FILE = "answerable.yaml"
_PLACE = r"^s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[A-Za-z0-9_.=\-]+)*/?$"


class Identity(Declaration):
    """How customers of several feeds become one.

    Attributes:
        key: `environment` reads the secret from ANSWERABLE_IDENTITY_KEY. `public` uses a published
            key: for synthetic or already anonymous data only.
        shared_key_limit: An e-mail or phone that links more external ids than this is a shared one
            (info@, a switchboard) and joins nobody.
        phone_region: Region of phone numbers written without a country code, like `DE`.
    """

    key: Literal["environment", "public"] = "environment"
    shared_key_limit: int = Field(default=3, ge=1)
    phone_region: str | None = Field(default=None, pattern="^[A-Z]{2}$")


class Retention(Declaration):
    """How long unreferenced files and old releases are kept, and how long it is told what was restated."""

    releases: int = Field(default=30, ge=2)
    grace_hours: int = Field(default=24, ge=1)
    restatement_days: int = Field(default=800, ge=1)


class Limits(Declaration):
    """Where the audit begins to warn, and what it takes to trust a metric.

    Attributes:
        answers: Fewest observations in 28 days for a metric to be trusted.
        unmatched_share: The goal for the share of events that match no rule: at most this.
        touchpoints_per_person: Most touchpoints that one person should answer for.
        alone_per_person: Most touchpoints that one person should answer for without anybody who could
            step in.
        consulted_per_touchpoint: Most who should have to be asked before something changes.
        validation_days: How long the front line's confirmation of a touchpoint holds.
        waiver_notice_days: How long before its end a waiver is announced.
    """

    answers: int = Field(default=30, ge=1)
    unmatched_share: float = Field(default=0.05, ge=0, le=1)
    touchpoints_per_person: int = Field(default=12, ge=1)
    alone_per_person: int = Field(default=3, ge=0)
    consulted_per_touchpoint: int = Field(default=5, ge=0)
    validation_days: int = Field(default=180, ge=1)
    waiver_notice_days: int = Field(default=14, ge=0)


Ends = tuple[float, float, float]
"""Where A, B and C end; what is worse is D."""


class Grades(Declaration):
    """Where the grades of trust end: of A, of B, of C; what is worse is D.

    Attributes:
        n: Fewest observations.
        half_width: Widest half interval, as a share of the scale.
        quarantine_share: Largest share of rows in quarantine.
        response_rate: Smallest share of those asked who answered.
        mix_excess: Largest share of answers that would have to come from other kinds of customers.
    """

    n: Ends = (100, 30, 10)
    half_width: Ends = (0.05, 0.10, 0.20)
    quarantine_share: Ends = (0.01, 0.05, 0.10)
    response_rate: Ends = (0.30, 0.15, 0.05)
    mix_excess: Ends = (0.05, 0.10, 0.20)

    @model_validator(mode="after")
    def _in_order(self) -> "Grades":
        for name, rises in (("n", True), ("response_rate", True), *((name, False) for name in _FALLING)):
            ends: Ends = getattr(self, name)
            if list(ends) != sorted(ends, reverse=rises):
                way = "the largest first" if rises else "the smallest first"
                message = f"The ends of {name!r} are where A, B and C end: {way}."
                raise ValueError(message)
        return self


_FALLING = ("half_width", "quarantine_share", "mix_excess")


class Inherited(Declaration):
    """For how long a breach that began before somebody took over is not called theirs.

    Attributes:
        grace_days: Days since they took over; from then on it is their own. 0: always their own.
    """

    grace_days: int = Field(default=90, ge=0)


class Validation(Declaration):
    """What judges the rows of a delivery by their contract. Both find the same rows.

    Attributes:
        engine: `native` evaluates the rules as polars expressions. `great_expectations` compiles each
            contract to a suite and runs it on Great Expectations' polars engine: 4 CPU seconds and 260 MB
            more a run, and some milliseconds a rule.
    """

    engine: Literal["native", "great_expectations"] = "native"


class Workspace(Declaration):
    """Settings of one workspace.

    Attributes:
        name: The company's name, as pages and tables print it.
        timezone: Where a day begins and ends, and how dates without an offset are read.
        clock: A fixed "now", for data that has stopped; the real time when absent.
        warehouse: Folder, relative to the workspace, that holds everything the product makes, and nothing else.
        objects: A place in an object store, `s3://bucket/prefix`, where the warehouse is kept; its folder is then a
            cache. Who we are and where the store is, the environment says (AWS_ACCESS_KEY_ID and the like).
        limits: Where the audit begins to warn.
        grades: Where the grades of trust end.
        expect_future_minutes: An event further in the future than this is rejected.
        attestation_days: How long the word of an accountable person counts before they are asked again.
        validation: What judges deliveries by their contracts.
        memory: How much memory a run may take, like `2GB`; as much as it likes when absent.
        alerts: Who is told of breaches, and through what; without it they are decided and listed only.
    """

    name: Title
    timezone: Zone = "UTC"
    clock: Moment | None = None
    identity: Identity = Identity()
    retention: Retention = Retention()
    limits: Limits = Limits()
    grades: Grades = Grades()
    inherited: Inherited = Inherited()
    warehouse: str = Field(default="warehouse", min_length=1, max_length=200)
    objects: str | None = Field(default=None, pattern=_PLACE)
    expect_future_minutes: int = Field(default=60, ge=0)
    validation: Validation = Validation()
    attestation_days: int = Field(default=92, ge=1, le=3660)
    memory: str | None = Field(default=None, pattern=r"(?i)^\d+(\.\d+)?\s*([kmgt]b|[kmg]ib)$")
    alerts: Alerts | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The workspace's time zone."""
        return ZoneInfo(self.timezone)
