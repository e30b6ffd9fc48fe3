"""Drawn weeks through the decision: a clock that goes from Monday to Monday, one alert, and what people do."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.alert_settings import Alerts
from contracts.alerts import Decision, Episode, Evidence, FeedEvidence, Key, Rung, Silence, Week
from tests.conftest import drawn
from transforms.alert_decision import Around, acknowledge, decide_feed, decide_touchpoint
from transforms.business_days import WorkCalendar

GOAL = 0.8
ZONE = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 1, 12)
KEY = Key("touchpoint", "delivery", "csat", "always")
FEED = Key("feed", "survey", "freshness", "contract")
ABOVE = (Rung("integrator", "ivy", "office", "integrator"), Rung("sponsor", "sam", "board", "sponsor"))


def week(
    end: date,
    n: str | None,
    value: str | None,
    pool: str | None,
    bound: str | None,
    doubts: str | None = None,
) -> Week:
    """A week as it is drawn; an empty value is not known, and one that is `open` is beyond its bound."""
    known = [None if text in (None, "open") else float(text) for text in (value, pool, bound)]
    own, four, edge = known
    misses = edge is not None and edge < GOAL
    is_below = own < GOAL if own is not None else value == "open" and misses
    is_pool_below = four < GOAL if four is not None else (pool == "open" and misses) or None
    return Week(
        end=end,
        n=int(n or 0),
        value=own,
        goal=GOAL,
        is_below=is_below,
        is_breach=is_below and misses,
        is_pool_below=is_pool_below,
        pool_n=0 if pool is None else 4 * int(n or 0),
        pool_value=four,
        bound=edge,
        doubts=tuple((doubts or "").split()),
    )


@dataclass
class Story:
    """One alert through time.

    Attributes:
        settings: The workspace's `alerts:`.
        owner: Who is accountable now.
        silences: Silences so far.
        episode: The alert as it stands.
        now: The instant it is.
        told: Everything that was told, in order: `kind person`, digests in brackets.
    """

    settings: Alerts = field(default_factory=Alerts)
    owner: str | None = "ann"
    silences: list[Silence] = field(default_factory=list)
    episode: Episode | None = None
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    told: list[str] = field(default_factory=list)
    key: Key = KEY
    has_goal: bool = True

    def around(self) -> Around:
        """What stands around a decision."""
        place = (self.key.scope_type, self.key.scope)
        own = (Rung("owner", self.owner, "seat", "role accountable"),) if self.owner else ()
        path = own + tuple(rung for rung in ABOVE if rung.person != self.owner)
        calendar = WorkCalendar.of(self.settings, ZONE)
        return Around(self.now, self.settings, calendar, self.silences, {place: self.owner}, {place: path})

    def take(self, decision: Decision) -> tuple[Decision, list[str]]:
        """Keep what was decided; what it tells."""
        told = [
            f"[{notice.kind} {notice.rung.person}]"
            if notice.is_digest
            else f"{notice.kind} {notice.rung.person}"
            for notice in decision.notices
        ]
        after = decision.after
        self.episode = after if after is not None and after.is_open else None
        self.told += told
        return decision, told

    def decide(self, weeks: list[Week], late: tuple[str, ...] = ()) -> tuple[Decision, list[str]]:
        """One run."""
        known = Evidence(
            key=self.key, weeks=tuple(weeks), late_feeds=late, has_goal=self.has_goal, customers=100
        )
        return self.take(decide_touchpoint(known, self.episode, self.around()))

    def decide_feed(
        self, age: float | None, limit: float | None = 48, held_files: int = 0
    ) -> tuple[Decision, list[str]]:
        """One run on a feed."""
        is_late = limit is not None and (age is None or age > limit)
        newest = None if age is None else self.now - timedelta(hours=age)
        known = FeedEvidence(
            key=FEED,
            is_late=is_late,
            age_hours=age,
            age_max_hours=limit,
            newest_event_at=newest,
            held_files=held_files,
        )
        return self.take(decide_feed(known, self.episode, self.around(), held=3))

    def does(self, written: str | None) -> None:
        """Something that somebody does before a run."""
        what, _, name = (written or "").partition(" ")
        if what == "owner":
            self.owner = None if name == "nobody" else name
        elif what == "ack":
            assert self.episode is not None
            self.episode = acknowledge(self.episode, name, self.now)
        elif what == "silence":
            number = len(self.silences) + 1
            ends = self.now + timedelta(days=int(name))
            self.silences.append(
                Silence(
                    id=number,
                    touchpoint=self.key.scope,
                    metric=None,
                    reason="known",
                    author="ann",
                    starts_at=self.now,
                    ends_at=ends,
                )
            )
        elif what == "planned":
            change = {"from": self.now, "until": self.now + timedelta(days=int(name)), "why": "new carrier"}
            self.settings = Alerts.model_validate(
                {**self.settings.model_dump(by_alias=True), "planned_changes": [change]}
            )
        elif what == "goal":
            self.has_goal = name == "back"
        elif what:
            message = f"nobody knows how to {what!r}"
            raise ValueError(message)


def played(text: str, story: Story | None = None) -> list[tuple[str, str, str]]:
    """Play drawn weeks; what each row says came of it, and what did: (week, drawn, found)."""
    story = story or Story()
    weeks: list[Week] = []
    found = []
    for place, row in enumerate(drawn(text).iter_rows(named=True)):
        end = FIRST + timedelta(weeks=place)
        story.now = datetime.combine(end, time(10), ZONE).astimezone(UTC)
        told = (row[name] for name in ("n", "value", "four", "bound"))
        weeks.append(week(end, *told, row.get("doubts")))
        story.does(row.get("before"))
        late = ("survey",) if row.get("late") else ()
        decision, told = story.decide(weeks, late)
        state = decision.after.state if decision.after else "-"
        said = " ".join([state, decision.reason, *told])
        # A second run at the same instant says nothing and moves nothing.
        kept = story.episode
        if kept is not None:
            again, retold = story.decide(weeks, late)
            assert retold == []
            assert again.after is not None
            assert replace(again.after, reason=kept.reason, facts=None) == replace(kept, facts=None)
        wanted = " ".join([row["state"], row["reason"], *([row["told"]] if row["told"] else [])])
        found.append((f"row {place + 1}", wanted, said))
    return found
