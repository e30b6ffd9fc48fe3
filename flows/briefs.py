"""Everything that the answers to a pass hang on besides the events, as a file that another machine can read.

What was asked is the map's own text and a few values: no code travels and nothing that was pickled, and whoever
reads it checks the map as everybody does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.accountability import AccountabilityMap
from contracts.documents import read
from contracts.events import Codebook
from contracts.map_checks import examine
from contracts.tenures import tenures
from flows.parts import Pass
from flows.workspace import LoadedWorkspace
from transforms.match import Matcher
from transforms.periods import Calendar
from transforms.rules import Compiler
from transforms.slots import slots
from warehouse.files import intact, keep
from warehouse.kept import Kept
from warehouse.store import State

_GONE = "Run again: it is written anew."
_COMPILER = Compiler()


@dataclass(frozen=True)
class Brief:
    """What is asked of any events.

    Attributes:
        texts: The map's files, by name.
        zone: The workspace's time zone.
        now: The instant it is.
        attributes: Attributes that feeds declare, `text` or `number`.
        known: The map of those texts, where somebody has read them already.
    """

    texts: Mapping[str, str]
    zone: ZoneInfo
    now: datetime
    attributes: Mapping[str, str]
    known: AccountabilityMap | None = field(default=None, compare=False, repr=False)

    @cached_property
    def atlas(self) -> AccountabilityMap:
        """The map."""
        if self.known is not None:
            return self.known
        documents = [read(text, f"map/{name}")[0] for name, text in sorted(self.texts.items())]
        return examine(documents, self.zone).atlas

    def compiled(self, state: State) -> tuple[Matcher, Codebook, Calendar]:
        """The compiled map, what the codes stand for, and the days that are reported on."""
        today = self.now.astimezone(self.zone).date()
        span = state.span()
        first, last = (moment.astimezone(self.zone).date() for moment in span) if span else (today, today)
        codebook = Codebook(state.codebook.values, {**self.attributes, **state.attributes})
        touchpoints = [touchpoint.id for touchpoint in self.atlas.touchpoints]
        end = max(last, today) + timedelta(days=1)
        days = slots(tenures(self.atlas), touchpoints, first, end, self.zone)
        matcher = Matcher(_COMPILER.decision(self.atlas.rules, codebook), days, touchpoints)
        return matcher, codebook, Calendar(min(first, today), today)

    def asked_of(self, state: State, kept: Kept, at_once: int | None = None) -> Pass:
        """The pass over some events, of which so many may be read at once."""
        return Pass(self.atlas, *self.compiled(state), state, kept, self.zone.key, at_once=at_once)

    def keep(self, folder: Path) -> Path:
        """Write it as a file that is named by its content."""
        said = {
            "map": dict(self.texts),
            "zone": self.zone.key,
            "now": self.now.isoformat(),
            "attributes": dict(self.attributes),
        }
        text = json.dumps(said, sort_keys=True, ensure_ascii=False)
        return keep(folder, "brief", ".json", lambda to: _write(to, text)).path

    @classmethod
    def read(cls, path: Path) -> "Brief":
        """What was written by `keep`.

        Raises:
            StoreError: It is missing or damaged.
        """
        said = json.loads(intact(path, _GONE).read_text(encoding="utf-8"))
        now = datetime.fromisoformat(said["now"])
        return cls(said["map"], ZoneInfo(said["zone"]), now, said["attributes"])


def brief_of(workspace: LoadedWorkspace) -> Brief:
    """What a workspace asks."""
    zone, declared = workspace.settings.zone, declared_attributes(workspace)
    return Brief(workspace.map_texts, zone, workspace.now, declared, workspace.atlas)


def declared_attributes(workspace: LoadedWorkspace) -> dict[str, str]:
    """Attributes that feeds declare; those that no event has had yet count as text."""
    return {
        name: "text"
        for feed in workspace.feeds
        for stream in feed.declared.streams
        for template in stream.events
        for name in template.attributes
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
