"""`answerable attest`."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.answers import answers
from contracts.attestations import Attested
from contracts.errors import QuestionError
from flows.asked import asked_touchpoint
from flows.attesting import give_word, standing
from flows.workspace import LoadedWorkspace, load


def attest(
    touchpoint: str = "",
    folder: Path = Path(),
    *,
    by: str | None = None,
    decline: str | None = None,
    pending: bool = False,
    json_: bool = False,
) -> None:
    """Give your word that a touchpoint is yours, or that it is not. Without one: where every touchpoint stands.

    Examples: `answerable attest delivery --by dana` confirms; `answerable attest delivery --by dana
    --decline "it went to the carrier desk in May"` declines. Only whoever is accountable now can. A word counts for
    `attestation_days` of answerable.yaml, and ends with the person's accountability; until the next one the
    touchpoint is pending. A touchpoint named '.' or absent lists them all.

    Args:
        touchpoint: Its id, or one that it had; absent or '.' to list.
        folder: The workspace.
        by: Who gives their word, a person of the map; with a list: only theirs.
        decline: Decline instead of confirming, and why.
        pending: With a list: only what is not confirmed.
        json_: Print as JSON.
    """
    workspace = load(folder)
    if touchpoint in ("", "."):
        _list(workspace, by, pending=pending, json_=json_)
        return
    if by is None:
        raise QuestionError.at("--by", "is missing.", "Say who gives their word: --by PERSON.")
    if decline is not None and not decline.strip():
        raise QuestionError.at("--decline", "gives no reason.", 'Write one: --decline "..."')
    name = asked_touchpoint(touchpoint, workspace.atlas)
    answer = next(one for one in answers(workspace.atlas, workspace.now) if one.touchpoint == name)
    word = give_word(workspace, answer, by, "confirmed" if decline is None else "declined", decline)
    if json_:
        plain = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in asdict(word).items()}
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
        return
    remedy = "" if decline is None else " Now correct the map."
    sys.stdout.write(f"{name}: {word.state} by {answer.person_name}, {word.attested_at:%Y-%m-%d}.{remedy}\n")


def _list(workspace: LoadedWorkspace, by: str | None, *, pending: bool, json_: bool) -> None:
    found = [
        one
        for one in standing(workspace)
        if by in (None, one.person) and not (pending and one.state == "confirmed")
    ]
    if json_:
        sys.stdout.write(json.dumps([_plain(one) for one in found], indent=1) + "\n")
        return
    for one in found:
        said = f"{one.word.attested_at:%Y-%m-%d}" if one.word else "never"
        why = f": {one.word.reason}" if one.word and one.state == "declined" else ""
        sys.stdout.write(f"{one.state:<10} {one.touchpoint:<28} {one.person or 'nobody':<20} {said}{why}\n")
    confirmed = sum(one.state == "confirmed" for one in found)
    sys.stdout.write(f"{confirmed} of {len(found)} confirmed\n")


def _plain(one: Attested) -> dict[str, Any]:
    word = one.word
    return {
        "touchpoint": one.touchpoint,
        "state": one.state,
        "person": one.person,
        "last_word": word.state if word else None,
        "attested_at": word.attested_at.isoformat() if word else None,
        "reason": word.reason if word else None,
    }
