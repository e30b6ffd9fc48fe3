"""Published numeric cases, to their printed digits: one test a case, by its id.

A case is dispatched by its `metric` and the shape of its inputs, so further cases of the same families run
as they are. `ANSWERABLE_GOLDEN` names the folder; without it all of them are one skip.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.golden import answers, changes, processes, waits
from tests.golden.case import FOLDER, Case, differences
from transforms.methods import charts

CASES = sorted(FOLDER.glob("*.json"))
FAMILIES: Mapping[str, Callable[[Case], Mapping[str, Any]]] = {
    "alert_fdr": answers.comparisons,
    "before_after": answers.before_after,
    "before_after_its": changes.interruption,
    "burn_rate": changes.burn,
    "churn": waits.churn,
    "csat_ci": answers.proportion,
    "decomposition": changes.decomposition,
    "driver_analysis": changes.drivers,
    "handover": waits.handovers,
    "ingest_counts": waits.file_counts,
    "littles_law": waits.little,
    "nps": answers.nps,
    "response_rate": answers.response,
    "retention_km": waits.survival,
    "spc_c": processes.counted(charts.c_chart),
    "spc_cusum": processes.cusum,
    "spc_ewma": processes.ewma,
    "spc_laney": processes.laney,
    "spc_p": processes.counted(charts.p_chart),
    "spc_rules": processes.rules,
    "spc_u": processes.counted(charts.u_chart),
    "spc_xmr": processes.individuals,
    "time_percentile": waits.percentiles,
    "weighting": answers.weighting,
}
ABSENT = pytest.param(
    None, id="none", marks=pytest.mark.skip(reason=f"no cases in {FOLDER}: set ANSWERABLE_GOLDEN")
)


@pytest.mark.shared
@pytest.mark.parametrize("path", CASES or [ABSENT], ids=lambda path: path.stem)
def test_a_published_case_comes_out_to_its_printed_digits(path: Path):
    metric, case = Case.read(path)
    assert metric in FAMILIES, f"{path.name}: no family computes {metric!r}"
    assert differences(FAMILIES[metric](case), case.expected, case) == []
