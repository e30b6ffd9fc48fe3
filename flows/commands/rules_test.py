"""`answerable rules test`: lead the examples of rules through the rules."""

import json
import sys
from pathlib import Path

from contracts.errors import MapError, Problem
from flows.workspace import load


def rules_test(folder: Path = Path(), *, json_: bool = False) -> None:
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
