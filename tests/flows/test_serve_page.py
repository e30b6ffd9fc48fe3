"""The page on the hot lane: what it shows to type is typed here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="no curl, or no openssl")
def test_the_example_of_the_page_runs_as_it_stands(tmp_path: Path):
    from tests.flows.sinks import free_port

    page = (ROOT / "docs/serve.md").read_text()
    script = "set -e\n" + "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL))
    script = script.replace("8787", str(free_port()))
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False,
        env={**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"(?<=\} )\d{3}", done.stdout) == ["202", "200", "401"]
    assert (
        '{"answer_id":"c1","answered_at":"2026-11-20 10:00:00","about":"delivery","satisfaction":2,"answerable":{'
        in (done.stdout)
    )
    assert '"is_ready":true' in done.stdout
