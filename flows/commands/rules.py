"""`answerable rules`: test the rules, see what they catch, and what they do not."""

import json
import sys
from pathlib import Path

from contracts.errors import MapError, Problem
from flows.workspace import load


def test(folder: Path = Path(), *, json_: bool = False) -> None:  # noqa: PT028 - a command, not a test
    """Lead every example of every rule through the rules; reads no data.

    Examples stand under a rule in the map: `examples: [{event: {kind: crm.sold, channel: web}}]` expects the
    rule's own touchpoint, `expect: unmatched` or another touchpoint says otherwise. Ends with exit code 3
    when an example comes elsewhere.

    Example: answerable rules test shop

    Args:
        folder: The workspace.
        json_: Print every example and where it came as JSON.
    """
    from transforms.examples import try_examples  # noqa: PLC0415 - loads polars

    atlas = load(folder).atlas
    tried = try_examples(atlas.rules)
    places = [atlas.where("examples", f"{one.rule}.{one.index}") for one in tried]
    if json_:
        rows = [
            {**vars(one), "is_kept": one.is_kept, "where": where}
            for one, where in zip(tried, places, strict=True)
        ]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    broken = [
        Problem(
            where,
            f"this example should come to {one.expected!r}, but "
            + (f"rule {one.won_by!r} takes it to {one.got!r}." if one.won_by else "no rule matches it."),
            f"Mend rule {one.rule!r}, its place, or the example.",
        )
        for one, where in zip(tried, places, strict=True)
        if not one.is_kept
    ]
    if not json_:
        without = sum(not rule.examples for rule in atlas.rules)
        sys.stdout.write(
            f"{len(tried) - len(broken)} of {len(tried)} examples come where they should; "
            f"{without} of {len(atlas.rules)} rules have none.\n"
        )
    if broken:
        raise MapError.of(broken)


def show(folder: Path = Path(), *, json_: bool = False) -> None:
    """How often every rule matched, ever and in 28 days; dead and shadowed ones are marked.

    Example: answerable rules show shop

    Args:
        folder: The workspace; it has to have been run.
        json_: Print the rules as JSON.
    """
    from flows.console import out  # noqa: PLC0415
    from flows.published import newest  # noqa: PLC0415
    from views.terminal import rule_table  # noqa: PLC0415

    hits = newest(folder).table("rule_hit").sort("position")
    if json_:
        sys.stdout.write(hits.write_json() + "\n")
        return
    out.print(rule_table(hits))


def unmatched(
    folder: Path = Path(), *, limit: int = 20, touchpoint: str | None = None, json_: bool = False
) -> None:
    """Events that no rule matches, the most customers first, as YAML to paste into the map.

    Saved as `map/unmatched.yaml` it is accepted as it is: new touchpoints belong to nobody until somebody
    is named. What they are, and the share of unmatched events against its goal, goes to standard error.

    Example: answerable rules unmatched shop > shop/map/unmatched.yaml

    Args:
        folder: The workspace; it has to have been run.
        limit: At most so many kinds of event.
        touchpoint: Lead them all to this touchpoint instead of new ones.
        json_: Print them as JSON instead.
    """
    from flows.unmatched import share_line, stubs  # noqa: PLC0415 - loads polars

    found = stubs(folder, limit, touchpoint)
    if json_:
        sys.stdout.write(json.dumps(found.rows, indent=1) + "\n")
        return
    sys.stderr.write(share_line(folder) + "\n")
    if found.rows:
        sys.stdout.write(found.yaml)
