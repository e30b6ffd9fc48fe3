"""Whichever engine judges a delivery: the same rows go, wait and are counted, for the same reasons."""

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from contracts.deliveries import Delivery
from contracts.errors import PromiseError
from flows.decisions import Decision
from flows.landing import FeedLanding, Setting, land_feed
from flows.validation import GreatExpectations, Validated, sentences
from flows.workspace import load
from tests.conftest import SETTINGS, Company, Sandbox, build_sandbox
from tests.gx_polars.contracts_drawn import drawn
from transforms.judge import row_rules
from warehouse.store import EventStore

ENGINES = ("native", "great_expectations")
RULES = """
    quality:
      - {id: small, type: sql, query: "SELECT COUNT(*) FROM ${object} WHERE CAST(about AS INTEGER) > 5", mustBe: 0, severity: warning}
      - {id: few, type: sql, query: "SELECT COUNT(*) FROM ${object} WHERE satisfaction < 3", mustBeLessThan: 40, unit: percent}
      - {id: rows, type: library, metric: rowCount, mustBeBetween: [2, 100], severity: warning}
    properties:
"""
GOOD = "a,a@x.de,2026-02-01T10:00:00,web,order,5"
DIRTY = [
    GOOD,
    GOOD,
    "a,a@x.de,2026-02-01T10:00:00,web,order,4",
    "b,b@x.de,2026-02-30T10:00:00,web,3,1",
    "c,,2026-02-01T10:00:00,fax,7,soon",
    ",d@x.de,2026-02-01T10:00:00,,,",
    "e,e@x.de",
    "f,f@x.de,2026-02-01T10:00:00,web,order,2",
    "g,g@x.de,2026-02-01T10:00:00,email,order,9",
]


def choose(sandbox: Sandbox, engine: str) -> None:
    settings = SETTINGS.partition("validation:")[0]
    sandbox.write(
        "answerable.yaml",
        settings + f"validation: {{engine: {engine}}}\n",
    )


def landed(root: Path) -> list[FeedLanding]:
    workspace = load(root)
    store = EventStore(workspace.warehouse / "store")
    landings: list[FeedLanding] = []
    for feed in workspace.feeds:
        landings.append(land_feed(Setting(workspace, store, store.head()), feed, landings))
    return landings


def told(root: Path, landings: list[FeedLanding]) -> list[tuple[dict, list[tuple]]]:
    """Every delivery, and the rows of it that wait."""

    def waiting(one: Delivery) -> list[tuple]:
        path = one.parts.get("rejects")
        return pl.read_parquet(root / "warehouse/store" / path).rows() if path else []

    return [(one.as_dict(), waiting(one)) for landing in landings for one in landing.deliveries]


@pytest.mark.parametrize("rate", [1, 0.05])
@pytest.mark.parametrize("rows", [DIRTY, [], [GOOD]], ids=["dirty", "empty", "good"])
def test_both_engines_make_the_same_deliveries(tmp_path: Path, rows: list[str], rate: float):
    found = {}
    for engine in ENGINES:
        sandbox = build_sandbox(tmp_path / engine)
        choose(sandbox, engine)
        sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5}", f"value: {rate}}}")
        sandbox.replace("contracts/survey.odcs.yaml", "\n    properties:\n", RULES)
        sandbox.answers(*rows)
        landings = landed(sandbox.root)
        found[engine] = told(sandbox.root, landings)
        assert bool(landings[0].validated) == (engine == "great_expectations")
    assert found["native"] == found["great_expectations"]
    states = {result[4] for result in found["native"][0][0]["results"]}
    assert states == (
        {"passed", "failed", "error"} if rows is DIRTY else {"passed", "failed"} if not rows else states
    )


def test_rows_that_are_judged_again_are_so_by_both(tmp_path: Path):
    found = {}
    mended = pl.DataFrame([{"source": "inbox/answers.csv", "_row": 10, "_item": 0, "satisfaction": "3"}])
    for engine in ENGINES:
        sandbox = build_sandbox(tmp_path / engine)
        choose(sandbox, engine)
        sandbox.replace("contracts/survey.odcs.yaml", "value: 0.5}", "value: 1}")
        sandbox.answers(*DIRTY)
        sandbox.run()
        workspace, decision = sandbox.load(), Decision("replay", "survey", mended=mended)
        store = EventStore(workspace.warehouse / "store")
        setting = Setting(workspace, store, store.head(), decision=decision)
        found[engine] = told(sandbox.root, [land_feed(setting, workspace.feeds[0])])
    assert found["native"] == found["great_expectations"]
    ((delivery, _),) = found["native"]
    assert delivery["rows_read"] == len(DIRTY)
    assert "mended" in delivery["parts"], "the row was admitted"


def test_the_synthetic_company_is_judged_alike_by_both(company: Company, tmp_path: Path):
    """Three of its months, or with ANSWERABLE_SUITE_CONTRACTS all; the late file and the copy among them."""
    found = {}
    for engine in ENGINES:
        root = tmp_path / engine
        for part in ("map", "feeds", "contracts"):
            shutil.copytree(company.root / part, root / part)
        settings = (company.root / "answerable.yaml").read_text()
        (root / "answerable.yaml").write_text(settings.replace("engine: native", f"engine: {engine}"))
        for path in sorted((company.root / "inbox").rglob("*.*")):
            months = ("2026-03", "2026-05", "customers")
            if "ANSWERABLE_SUITE_CONTRACTS" in os.environ or any(part in path.name for part in months):
                target = root / path.relative_to(company.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        landings = landed(root)
        found[engine] = told(root, landings)
        lines = sentences(one for landing in landings for one in landing.validated)
        assert [line.partition(":")[0] for line in lines] == (
            ["crm", "survey", "tickets"] if engine == "great_expectations" else []
        )
    assert found["native"] == found["great_expectations"]
    assert sum(one["rows_quarantined"] for one, _ in found["native"]) > 0


def test_a_run_says_what_judged_its_deliveries(sandbox: Sandbox, call: Callable):
    choose(sandbox, "great_expectations")
    sandbox.answers(GOOD, "b,b@x.de,2026-02-01T10:00:00,fax,order,5")
    said = json.loads(call("run", sandbox.root, "--json").out)
    (line,) = said["validated"]
    assert line.startswith("survey: 10 expectations by Great Expectations 1.24.")
    assert line.endswith(" on polars; 1 delivery, 1 rule broken, 0 that could not run")
    assert json.loads(call("run", sandbox.root, "--json").out)["validated"] == [], "nothing was read"


def test_rows_and_verdict_that_disagree_end_the_run(monkeypatch: pytest.MonkeyPatch):
    case = drawn(20261128)
    by_gx = GreatExpectations(case.shape, case.stream, case.references, Validated("f", "s"))
    rules = row_rules(case.shape, case.stream, case.references)
    by_gx.find(case.rows, rules)
    with pytest.raises(PromiseError, match=r"f\.s: rule '.*' is not both in the contract and in its suite"):
        by_gx.find(case.rows, rules[1:])
    monkeypatch.setattr(
        "contracts.gx_polars.validation.Validation.broken",
        lambda *_: pl.Series([True] * case.rows.height),
    )
    with pytest.raises(PromiseError, match="This is a defect"):
        by_gx.find(case.rows, rules)


def test_great_expectations_tells_no_news_of_its_contexts():
    """One of its loggers has a level of its own."""
    from flows.validation import quiet

    own = logging.getLogger("great_expectations.data_context.types.base")
    own.setLevel(logging.INFO)
    quiet()
    assert not own.isEnabledFor(logging.INFO)
