"""What a damaged file or a full disk does to a run: a sentence with a remedy, and no wrong number."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from contracts.errors import StoreError
from flows import cli, lost_ledger
from flows.lost_ledger import tell_of_loss
from tests.conftest import Sandbox, build_sandbox
from warehouse.ledger import URL_VARIABLE, Ledger
from warehouse.releases import Releases
from warehouse.store import EventStore

Command = Callable[..., tuple[int, str]]

# The command line reads its arguments where a shell puts them, also when a test calls it.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


def _answers(number: int, count: int = 40) -> list[str]:
    return [
        f"{number}-{which},p{which}@x.example,2026-0{which % 2 + 1}-{which % 27 + 1:02} 10:00:00,web,order,{which % 5 + 1}"
        for which in range(count)
    ]


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = build_sandbox(tmp_path_factory.mktemp("ran") / "workspace")
    sandbox.answers(*_answers(1))
    sandbox.run()
    return sandbox


@pytest.fixture
def ran(ran_once: Sandbox, tmp_path: Path) -> Sandbox:
    """A workspace with one release."""
    return ran_once.copied(tmp_path / "workspace")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls the command line: its exit code, and what it wrote to stderr."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["answerable", *arguments])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, capsys.readouterr().err

    return call


def _shown(sandbox: Sandbox) -> dict[str, bytes]:
    """Every file that `current` shows but those that tell the time, by its path."""
    current = (sandbox.root / "warehouse/published/current").resolve()
    return {str(path.relative_to(current)): path.read_bytes() for path in current.rglob("*.parquet")}


def _but_history(shown: dict[str, bytes]) -> dict[str, object]:
    """What follows from the deliveries alone: not what an earlier release had said, and when."""
    found: dict[str, object] = {}
    for path, content in shown.items():
        table = path.partition("/")[0]
        if table == "scorecard_touchpoint":
            found[table] = pl.read_parquet(content).drop("is_restated").rows()
        elif table not in ("restatement", "goal_history"):
            found[path] = content
    return found


@pytest.fixture(scope="module")
def as_run_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a workspace that got both files at once, on a disk that never failed."""
    sandbox = build_sandbox(tmp_path_factory.mktemp("once"))
    sandbox.answers(*_answers(1))
    sandbox.answers(*_answers(2), name="answers2.csv")
    sandbox.run()
    return _shown(sandbox)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _spoil(path: Path) -> None:
    path.write_bytes(b"\x00" * 40)


def _month(sandbox: Sandbox) -> Path:
    state = EventStore(sandbox.root / "warehouse/store").head()
    return state.folder / state.months["2026-01"].files[0].path


def _table(sandbox: Sandbox) -> Path:
    release = Releases(sandbox.root / "warehouse/published").head()
    assert release is not None
    one = next(one for one in release.tables if one.table == "dim_touchpoint")
    return sandbox.root / "warehouse/published" / one.path


DAMAGES: dict[str, tuple[Callable[[Sandbox], Path], Callable[[Path], None], str, str]] = {
    "a cut month of events": (_month, _cut, "is damaged: its content is not what its name promises", "backup"),
    "a missing month of events": (_month, Path.unlink, "is missing", "Restore it from a backup"),
    "a cut table of a release": (_table, _cut, "is damaged: its content is not what", "Delete it and run again"),
    "a commit of the store that is no JSON": (
        lambda sandbox: sandbox.root / "warehouse/store/commits/00000001.json",
        _spoil,
        "is damaged: Expecting value",
        "Restore it from a backup, or delete it",
    ),
    "a manifest of a release that is no JSON": (
        lambda sandbox: sandbox.root / "warehouse/published/releases/00000001.json",
        _spoil,
        "is damaged: Expecting value",
        "Restore it from a backup, or delete it",
    ),
    "a commit of the store that says another number of rows": (
        lambda sandbox: sandbox.root / "warehouse/store/commits/00000001.json",
        lambda path: path.write_text(path.read_text().replace('"rows": 20', '"rows": 21', 1)),
        "is damaged: its content is not what its hash says",
        "Restore it from a backup, or delete it",
    ),
    "a manifest of a release that names another file": (
        lambda sandbox: sandbox.root / "warehouse/published/releases/00000001.json",
        lambda path: path.write_text(path.read_text().replace("a", "b", 1)),
        "is damaged: its content is not what its hash says",
        "Restore it from a backup, or delete it",
    ),
    "a ledger that is no database": (
        lambda sandbox: sandbox.root / "warehouse/ledger.db",
        _spoil,
        "file is not a database",
        "restore it from a backup or move it away",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_ends_the_run_with_its_name_and_a_remedy_and_the_release_stands(
    ran: Sandbox, command: Command, damage: str
):
    find, hurt, what, remedy = DAMAGES[damage]
    before = _shown(ran)
    path = find(ran)
    whole = path.read_bytes()
    hurt(path)
    ran.answers("x,a@x.example,2026-01-05 10:00:00,web,order,1", name="answers2.csv")
    code, said = command("run", str(ran.root), "--quiet")
    if damage == "a cut table of a release":
        before["dim_touchpoint/" + path.name] = path.read_bytes()  # it is one file under two names
    assert code == 6
    assert str(path) in said
    assert what in said
    assert remedy in said
    assert said.count("\n") == 1
    assert _shown(ran) == before
    path.write_bytes(whole)  # restored
    assert command("run", str(ran.root), "--quiet") == (0, "")
    assert ran.table("data_trust")["rows_accepted"].sum() == 41


@pytest.mark.parametrize("way", ["emptied", "gone"])
def test_a_ledger_that_is_lost_is_told_of_until_a_run_has_begun_a_new_one(
    ran: Sandbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, way: str
):
    monkeypatch.setattr(lost_ledger, "_told", set())
    assert not caplog.messages, "a first run has nothing to lose"
    path = ran.root / "warehouse/ledger.db"
    for one in path.parent.glob("ledger.db*"):
        one.unlink()
    if way == "emptied":
        path.touch()
    assert tell_of_loss(ran.load())
    ran.run()
    (said,) = caplog.messages
    assert said.endswith("Restore it from a backup before the next run: from that on a new one counts.")
    assert f"{path}: is empty or gone, and there are 1 releases. Lost with it are acknowledgements" in said
    assert not tell_of_loss(ran.load())


def test_a_ledger_that_is_a_folder_is_none(ran: Sandbox, command: Command):
    path = ran.root / "warehouse/ledger.db"
    path.rename(path.with_name("elsewhere"))
    path.mkdir()
    code, said = command("alerts", "list", str(ran.root))
    assert code == 6
    assert f"{path}: cannot be used: unable to open database file." in said


def test_a_damaged_month_that_no_run_has_to_read_is_found_by_verifying(ran: Sandbox, command: Command):
    before = _shown(ran)
    path = _month(ran)
    _cut(path)
    assert command("run", str(ran.root), "--quiet") == (0, "")
    assert _shown(ran) == before
    code, said = command("rebuild", str(ran.root), "--verify")
    assert code == 6
    assert f"{path}: is damaged: its content is not what its name promises" in said


@pytest.mark.parametrize("damage", [name for name in DAMAGES if "month" not in name])
def test_without_a_backup_deleting_the_damaged_file_is_enough(
    ran: Sandbox, command: Command, damage: str, as_run_once: dict[str, bytes]
):
    find, hurt, _, _ = DAMAGES[damage]
    hurt(find(ran))
    assert command("run", str(ran.root), "--quiet")[0] == 6
    find_again = (
        find(ran) if "manifest" not in damage else ran.root / "warehouse/published/releases/00000001.json"
    )
    find_again.unlink()
    ran.answers(*_answers(2), name="answers2.csv")
    assert command("run", str(ran.root), "--quiet") == (0, "")
    assert _but_history(_shown(ran)) == _but_history(as_run_once)
    releases = Releases(ran.root / "warehouse/published").manifests.numbers()
    with Ledger(ran.root / "warehouse").reading() as session:
        from sqlalchemy import select

        from warehouse.ledger import ReleaseRow

        assert session.scalars(select(ReleaseRow.number).order_by(ReleaseRow.number)).all() == releases


def test_a_month_that_nobody_can_restore_is_made_anew_from_the_inbox(ran: Sandbox, command: Command):
    before = _shown(ran)
    _month(ran).unlink()
    (ran.root / "warehouse/store").rename(ran.root / "warehouse/store.damaged")
    assert command("run", str(ran.root), "--quiet") == (0, "")
    assert _shown(ran) == before


def test_a_damaged_table_is_not_shown(ran: Sandbox, command: Command):
    path = _table(ran)
    _cut(path)
    code, said = command("show", "dim_touchpoint", str(ran.root))
    assert code == 6
    assert said.startswith(f"{path}: is damaged: its content is not what its name promises.")
    assert command("show", "dim_person", str(ran.root))[0] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "answerable-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _filled(disk: Path, free: int) -> Path:
    """Fill the disk but for so many bytes."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"")
    status = subprocess.run(
        ["stat", "-f", "-c", "%a %S", str(disk)], check=True, capture_output=True, text=True
    )
    blocks, size = map(int, status.stdout.split())
    ballast.write_bytes(bytes(max(blocks * size - free, 0)))
    return ballast


@pytest.mark.slow
def test_a_full_disk_ends_the_run_wherever_it_is_and_the_next_one_goes_on(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_run_once: dict[str, bytes]
):
    sandbox = build_sandbox(small_disk / "workspace")
    sandbox.answers(*_answers(1))
    # With the ledger on another disk a run comes further than its first line.
    monkeypatch.setenv(URL_VARIABLE, f"sqlite:///{tmp_path}/ledger.db")
    sandbox.run()
    before = _shown(sandbox)
    sandbox.answers(*_answers(2), name="answers2.csv")
    said: list[str] = []
    # What a run wrote before the disk was full waits for the next one, so little more takes it further.
    for free in range(0, 4_000_000, 8192):
        ballast = _filled(small_disk, free)
        try:
            sandbox.run()
        except StoreError as error:
            said.append(str(error))
            assert _but_history(_shown(sandbox)) in (_but_history(before), _but_history(as_run_once))
        else:
            break
        finally:
            ballast.unlink()
    assert _but_history(_shown(sandbox)) == _but_history(as_run_once)
    # It was stopped in the landing, in the store and in the tables.
    for part in ("store/landing", "store/events", "published/data"):
        assert any(part in one for one in said), (part, said)
    remedies = ("Make room, then run again", "See whether the disk is full")
    assert all(any(remedy in one for remedy in remedies) for one in said)


def test_a_disk_that_is_full_is_told_on_the_command_line(small_disk: Path, command: Command):
    sandbox = build_sandbox(small_disk / "workspace")
    sandbox.answers(*_answers(1))
    ballast = _filled(small_disk, 0)
    code, said = command("run", str(sandbox.root), "--quiet")
    assert code == 6
    assert said.count("\n") == 1
    assert "Make room, then run again: nothing that was published is touched." in said
    ballast.unlink()
    assert command("run", str(sandbox.root), "--quiet") == (0, "")
