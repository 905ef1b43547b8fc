from __future__ import annotations

import subprocess
import time

import pytest

from evcs.adapters import broker_accounts
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import Unreachable
from evcs.home import Home
from tests.adapters.broker import Broker, Listeners
from tests.records import kept
from tests.system_under_test import eventually

ACCOUNTS = {
    "inspector": "look", "central": "c", "registry": "r", "web": "w", "operator": "o",
    "manager/main": "m", "cp/CP-1/engine": "e1", "cp/CP-1/monitor": "m1", "cp/CP-2/engine": "e2",
    "driver/ALICE": "a", "driver/BOB": "x" * 43,
}  # fmt: skip


def try_login(broker: Broker, identity: str, password: str) -> bool:
    done = subprocess.run(
        ["mosquitto_pub", "-p", str(broker.port), "-u", identity, "-P", password, "-t", "x", "-n"],
        capture_output=True, timeout=10,
    )  # fmt: skip
    return done.returncode == 0


def test_the_same_identities_always_give_the_same_file() -> None:
    backwards = dict(reversed(ACCOUNTS.items()))
    assert broker_accounts.render(ACCOUNTS) == broker_accounts.render(backwards)
    assert broker_accounts.render({}) == b""


def test_no_two_lines_share_salt_or_key_and_no_password_is_in_the_file() -> None:
    content = broker_accounts.render({"a": "same secret", "b": "same secret"}).decode()
    assert "same secret" not in content
    one, two = (line.partition("$7$1$")[2].split("$") for line in content.splitlines())
    assert one[0] != two[0]
    assert one[1] != two[1]


def test_it_is_written_only_when_it_differs_and_is_its_owners_alone(home: Home) -> None:
    assert broker_accounts.write(home, ACCOUNTS)
    assert not broker_accounts.write(home, dict(ACCOUNTS))
    assert home.passwords.stat().st_mode & 0o777 == 0o600
    home.passwords.write_bytes(home.passwords.read_bytes()[:-3])
    assert broker_accounts.write(home, ACCOUNTS)
    assert home.passwords.read_bytes() == broker_accounts.render(ACCOUNTS)


def test_a_host_that_has_joined_may_what_the_centres_manager_may_under_its_own_name(
    broker: Broker, listeners: Listeners
) -> None:
    broker.accounts({**ACCOUNTS, "manager/h2": "m2"})
    eventually("the accounts are read", lambda: try_login(broker, "manager/h2", "m2"), 10)
    _, seen = listeners.add("inspector", "look", [topics.subtree()])
    _, mine = listeners.add("manager/h2", "m2", [topics.subtree("registry")])
    desired = topics.PREFIX + "registry/cp/CP-1"
    broker.publish("manager/h2", "m2", topics.PREFIX + "manager/main/reply", b"{}")
    broker.publish("manager/h2", "m2", desired, b"{}")
    broker.publish("manager/main", "m", topics.PREFIX + "manager/h2/cp/CP-1", b"{}")
    report = m.ReconcileReport("h2", "CP-1", True, 1)
    own = topics.encode(report, "2026-11-30T09:00:00.000Z")
    broker.publish("manager/h2", "m2", own.topic, own.payload)
    eventually("its own report is heard", lambda: seen.messages(), 10)
    assert seen.messages() == [report], "what is another's is not"
    broker.publish("registry", "r", topics.PREFIX + "registry/driver/ALICE", b"{}")
    cp = kept("CP-1", revision=1)
    told = topics.encode(cp, "2026-11-30T09:00:00.000Z")
    broker.publish("registry", "r", told.topic, told.payload)
    eventually("it hears what is wanted of CPs, and no more", lambda: mine.messages(), 10)
    assert mine.messages() == [cp]
    broker.accounts(ACCOUNTS)
    eventually("it is put out with its account", lambda: listeners.lost() == {"manager/h2"}, 10)
    assert b"manager/h2" not in (broker.home.access).read_bytes()


def test_the_broker_takes_every_line_and_no_other_password(broker: Broker) -> None:
    broker.accounts(ACCOUNTS)
    eventually("the accounts are read", lambda: try_login(broker, "driver/BOB", "x" * 43), 10)
    for identity, password in ACCOUNTS.items():
        assert try_login(broker, identity, password), identity
        assert not try_login(broker, identity, password + "x"), identity
    assert not try_login(broker, "driver/NOBODY", "a")
    assert not try_login(broker, "driver/ALICE", "")


def test_nobody_comes_in_without_a_name(broker: Broker) -> None:
    done = subprocess.run(
        ["mosquitto_pub", "-p", str(broker.port), "-t", "x", "-n"], capture_output=True, timeout=10
    )
    assert done.returncode != 0


def test_a_refused_login_stands_in_the_log_while_the_broker_runs(broker: Broker) -> None:
    assert not try_login(broker, "driver/MALLORY", "guess")
    eventually("it is logged", lambda: "not authorised" in broker.log(), 5)


@pytest.mark.parametrize("change", ["renewed", "removed", "added"])
def test_a_hup_drops_exactly_the_changed_identity(
    broker: Broker, change: str, listeners: Listeners
) -> None:
    broker.accounts(ACCOUNTS)
    for identity in ("cp/CP-1/engine", "cp/CP-1/monitor", "cp/CP-2/engine", "driver/ALICE"):
        listeners.add(identity, ACCOUNTS[identity])
    after = dict(ACCOUNTS)
    if change == "renewed":
        after["cp/CP-1/engine"] = "new"
    elif change == "removed":
        del after["cp/CP-1/engine"]
    else:
        after["cp/CP-3/engine"] = "e3"
    broker.accounts(after)
    if change == "added":
        eventually("the new one", lambda: try_login(broker, "cp/CP-3/engine", "e3"), 10)
        assert listeners.lost() == set()
    else:
        eventually("it is dropped", listeners.lost, 5)
        assert listeners.lost() == {"cp/CP-1/engine"}
        refused = "cp/CP-1/engine", ACCOUNTS["cp/CP-1/engine"]
        assert not try_login(broker, *refused)
        assert listeners.lost() == {"cp/CP-1/engine"}


def test_a_hup_that_the_broker_forgets_is_followed_by_another(home: Home, broker: Broker) -> None:
    """It forgets one that comes while it still reads."""
    heard: list[float] = []

    def hup() -> None:
        heard.append(time.monotonic())
        if len(heard) > 1:
            broker.hup()

    keeper = broker_accounts.PasswordFile(home, hup, time.monotonic)
    again_s = keeper.keep(ACCOUNTS)
    assert again_s is not None
    assert keeper.keep(ACCOUNTS) is not None, "too early: nothing is sent"
    assert len(heard) == 1
    eventually("nothing is left to do", lambda: keeper.keep(ACCOUNTS) is None, 10)
    eventually("it knows them", lambda: try_login(broker, "driver/BOB", "x" * 43), 10)
    assert len(heard) == 2
    assert heard[1] - heard[0] >= again_s


def test_what_an_earlier_run_wrote_is_read_if_it_could_not_say_so(
    home: Home, broker: Broker
) -> None:
    broker_accounts.write(home, ACCOUNTS)
    keeper = broker_accounts.PasswordFile(home, broker.hup, time.monotonic)
    assert keeper.keep(ACCOUNTS) is None
    assert not try_login(broker, "driver/BOB", "x" * 43)
    keeper.read_again()
    keeper.keep(ACCOUNTS)
    eventually("it knows them", lambda: try_login(broker, "driver/BOB", "x" * 43), 10)


def test_a_broker_that_is_away_is_told_when_it_is_back(home: Home) -> None:
    there: list[str] = []

    def hup() -> None:
        if not there:
            raise Unreachable("supervisord is not running here", "start it: evcs up")
        there.append("told")

    keeper = broker_accounts.PasswordFile(home, hup, time.monotonic)
    assert keeper.keep(ACCOUNTS) is not None
    there.append("back")
    eventually("both are sent", lambda: keeper.keep(ACCOUNTS) is None, 10)
    assert there == ["back", "told", "told"]


def test_a_broker_that_has_ended_is_sent_nothing_until_it_is_back(home: Home) -> None:
    told: list[str] = []
    keeper = broker_accounts.PasswordFile(home, lambda: told.append("HUP"), time.monotonic)
    assert keeper.keep(ACCOUNTS) is not None
    keeper.left()
    assert keeper.keep(ACCOUNTS) is None
    assert told == ["HUP"]


def test_a_full_disk_keeps_no_earlier_change_from_the_broker(home: Home) -> None:
    told: list[str] = []
    keeper = broker_accounts.PasswordFile(home, lambda: told.append("HUP"), time.monotonic)
    keeper.keep(ACCOUNTS)
    home.passwords.unlink()
    home.passwords.mkdir()  # nothing can be renamed to it, as on a disk that takes nothing
    eventually("the second is sent", lambda: keeper.keep(ACCOUNTS) and len(told) == 2, 10)
    home.passwords.rmdir()
    eventually("it is written", lambda: keeper.keep(ACCOUNTS) is None, 10)
    assert told == ["HUP"] * 4
