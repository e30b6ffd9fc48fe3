"""The lease: one writer across machines, and one that slept over its end commits nothing."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from contracts.errors import BusyError, StoreError
from warehouse.lease import Lease, leased, machine
from warehouse.ledger import Ledger
from warehouse.manifests import Manifests
from warehouse.signal_rows import LeaseRow


def _run_out(ledger: Ledger) -> None:
    """What time does to a lease that nobody renews."""
    with ledger.writing() as session:
        session.execute(sa.update(LeaseRow).values(expires_at=LeaseRow.acquired_at))


def test_two_machines_do_not_hold_it_at_once_and_the_second_may_after_the_first(ledger: Ledger):
    with leased(ledger, "run", "r1", where="north") as first:
        with (
            pytest.raises(BusyError, match=r"r1 on north has it until .* UTC\. Wait until then"),
            leased(ledger, "run", "r2", where="south"),
        ):
            pass
        first.check()
    with leased(ledger, "run", "r2", where="south") as second:
        second.check()
    assert second.token == first.token + 1


def test_what_a_killed_process_of_this_machine_held_is_taken_over_at_once(ledger: Ledger):
    with leased(ledger, "run", "killed") as killed, leased(ledger, "run", "next") as after:
        after.check()
        with pytest.raises(StoreError, match=rf"token {killed.token} no longer holds: next on "):
            killed.check()


def test_a_holder_that_slept_over_its_end_commits_nothing(ledger: Ledger, tmp_path: Path):
    manifests = Manifests(tmp_path / "commits")
    with leased(ledger, "run", "sleeper", where="north") as sleeper:
        manifests.guard = sleeper.check
        assert manifests.commit(0, {"by": "sleeper"}) == 1
        _run_out(ledger)
        with leased(ledger, "run", "waker", where="south") as waker:
            with pytest.raises(StoreError, match="Nothing was committed"):
                manifests.commit(1, {"by": "sleeper"})
            sleeper.renew()
            waker.check()
    assert manifests.numbers() == [1]


def test_one_that_ran_out_is_refused_even_when_nobody_else_wants_it(ledger: Ledger):
    with leased(ledger, "run", "r1") as lease:
        _run_out(ledger)
        with pytest.raises(StoreError, match="no longer holds"):
            lease.check()


def test_the_end_of_a_holder_that_was_overtaken_leaves_the_new_one_alone(ledger: Ledger):
    with leased(ledger, "run", "r1", where="north"):
        _run_out(ledger)
        after = leased(ledger, "run", "r2", where="south")
        lease = after.__enter__()
    lease.check()
    after.__exit__(None, None, None)


def test_it_is_renewed_for_as_long_as_its_holder_works(ledger: Ledger):
    with leased(ledger, "run", "r1", seconds=2.0) as lease:
        time.sleep(3.0)
        lease.check()


def test_of_many_that_ask_at_once_exactly_one_holds_it(ledger: Ledger):
    held, refused, together = list[Lease](), list[str](), threading.Barrier(6)
    done = threading.Event()

    def ask(name: str) -> None:
        together.wait()
        try:
            with leased(ledger, "run", name, where=name) as lease:
                held.append(lease)
                done.wait(30)
        except BusyError as error:
            refused.append(str(error))
            if len(refused) == 5:
                done.set()

    askers = [threading.Thread(target=ask, args=(f"m{number}",)) for number in range(6)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert (len(held), len(refused)) == (1, 5)


def test_a_machine_is_known_by_its_name_and_its_start():
    assert machine() == machine()
    assert len(machine()) <= 120
