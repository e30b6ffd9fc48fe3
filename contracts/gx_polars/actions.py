"""What a checkpoint does once it has run a suite: the verdict by severity, for those who run suites themselves."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from .internals import ValidationAction
from .validation import Verdict, verdicts


class CriticalRulesBroken(Exception):  # noqa: N818 - it says what happened
    """Data must not be used: a critical rule failed, or a rule could not run.

    Attributes:
        rules: Those rules, each with the suite it stands in.
    """

    def __init__(self, rules: list[tuple[str, Verdict]]) -> None:
        self.rules = rules
        told = ", ".join(f"{suite}: {one.rule} {one.state}" for suite, one in rules)
        super().__init__(f"{len(rules)} rules forbid the use of the data ({told}). Mend it, or the rules.")


class VerdictBySeverity(ValidationAction):
    """Tell every rule's end, and stop where a critical one failed or any could not run.

    A checkpoint's own `success` is false for whatever failed, info included, and counts a rule that raised as
    one that failed.

        Checkpoint(..., actions=[VerdictBySeverity(name="verdict", results_file="rules.jsonl", stops=True)])

    Attributes:
        results_file: JSON lines to append to: one for each suite and rule, with the run's name and instant.
        stops: Whether to raise `CriticalRulesBroken`; what called the checkpoint then goes no further.
    """

    type: Literal["verdict_by_severity"] = "verdict_by_severity"
    results_file: str | None = None
    stops: bool = False

    def run(self, checkpoint_result: Any, action_context: Any = None) -> dict[str, Any]:  # noqa: ANN401, ARG002 - as the class above
        """Tell of one run.

        Returns:
            `verdict` (passed, failed or critical) and `rules`, how many ended in which state.

        Raises:
            CriticalRulesBroken: As `stops` asks.
        """
        found = list(_told(checkpoint_result))
        if self.results_file is not None:
            run = checkpoint_result.run_id
            stamp = {"run": run.run_name, "run_at": run.run_time.isoformat()}
            lines = [json.dumps({**stamp, "suite": suite, **asdict(one)}) + "\n" for suite, one in found]
            with Path(self.results_file).open("a", encoding="utf-8") as file:
                file.writelines(lines)
        critical = [(suite, one) for suite, one in found if one.is_critical]
        if critical and self.stops:
            raise CriticalRulesBroken(critical)
        states = [one.state for _, one in found]
        is_sound = all(state == "passed" for state in states)
        return {
            "verdict": "critical" if critical else "passed" if is_sound else "failed",
            "rules": {state: states.count(state) for state in ("passed", "failed", "error")},
        }


def _told(checkpoint_result: Any) -> Iterator[tuple[str, Verdict]]:  # noqa: ANN401 - Great Expectations' class
    for result in checkpoint_result.run_results.values():
        yield from ((str(result.suite_name), one) for one in verdicts(result))
