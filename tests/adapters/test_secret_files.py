from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from evcs.adapters.secret_files import SecretFiles
from evcs.core.back_ends import MAX_PEM
from evcs.core.errors import BadValue, Unreachable
from evcs.home import Home


@pytest.fixture
def empty(tmp_path: Path) -> Home:
    (tmp_path / "data").mkdir()
    return Home(tmp_path)


def test_a_secret_is_its_owners_alone_whatever_the_umask(empty: Home) -> None:
    before = os.umask(0)
    try:
        for identity in ("central", "cp/CP-001/engine", "driver/ALICE", "manager/main"):
            SecretFiles(empty).create(identity)
    finally:
        os.umask(before)
    modes = {
        entry.relative_to(empty.data).as_posix(): entry.stat().st_mode & 0o777
        for entry in empty.data.rglob("*")
    }
    folders = {"secrets", "secrets/cp", "secrets/cp/CP-001", "secrets/driver", "secrets/manager"}
    assert modes == {
        **dict.fromkeys(folders, 0o700),
        "secrets/central": 0o600, "secrets/cp/CP-001/engine": 0o600,
        "secrets/driver/ALICE": 0o600, "secrets/manager/main": 0o600,
    }  # fmt: skip


def test_a_folder_that_others_could_read_is_closed(empty: Home) -> None:
    (empty.data / "secrets" / "cp").mkdir(parents=True, mode=0o777)
    SecretFiles(empty).create("cp/CP-001/engine")
    for folder in ("secrets", "secrets/cp", "secrets/cp/CP-001"):
        assert (empty.data / folder).stat().st_mode & 0o777 == 0o700


def test_each_secret_is_new_and_the_file_holds_it_alone(empty: Home) -> None:
    made = [SecretFiles(empty).create("central") for _ in range(5)]
    assert len(set(made)) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in made)
    assert empty.secret("central").read_text() == SecretFiles(empty).read("central") == made[-1]


def test_secrets_of_many_are_made_and_removed_together(empty: Home) -> None:
    who = [f"cp/CP-{number}/{role}" for number in range(50) for role in ("engine", "monitor")]
    made = SecretFiles(empty).create_all(who)
    assert list(made) == who
    assert len(set(made.values())) == len(who)
    assert all(SecretFiles(empty).read(one) == word for one, word in made.items())
    assert {entry.stat().st_mode & 0o777 for entry in empty.data.rglob("*")} == {0o600, 0o700}
    SecretFiles(empty).remove(*(f"cp/CP-{number}" for number in range(49)))
    assert SecretFiles(empty).names("cp") == ["CP-49"]


def test_a_good_secret_is_kept_and_a_missing_or_ruined_one_is_made(empty: Home) -> None:
    made = SecretFiles(empty).ensure("web")
    assert SecretFiles(empty).ensure("web") == made
    for ruin in (b"", b"\n", b"\xff\xfe", b"x" * 70_000, b"a\nb"):
        empty.secret("web").write_bytes(ruin)
        again = SecretFiles(empty).ensure("web")
        assert len(again) == 43
        assert again == SecretFiles(empty).read("web") != made


def test_without_a_secret_the_error_names_who_and_the_next_step(empty: Home) -> None:
    with pytest.raises(Unreachable, match="cp/CP-001/engine") as error:
        SecretFiles(empty).read("cp/CP-001/engine")
    assert "evcs up" in error.value.hint


def test_removing_takes_a_cp_whole_and_nobody_else(empty: Home) -> None:
    for identity in ("cp/CP-1/engine", "cp/CP-1/monitor", "cp/CP-11/engine", "driver/ALICE"):
        SecretFiles(empty).create(identity)
    SecretFiles(empty).remove("cp/CP-1")
    assert SecretFiles(empty).names("cp") == ["CP-11"]
    SecretFiles(empty).remove("cp/CP-1")
    SecretFiles(empty).remove("driver/ALICE")
    assert SecretFiles(empty).names("driver") == []
    assert SecretFiles(empty).names("nothing") == []


def test_where_a_link_stands_for_a_cps_secrets_the_link_alone_goes(
    empty: Home, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "engine").write_text("kept")
    (empty.data / "secrets" / "cp").mkdir(parents=True)
    (empty.data / "secrets" / "cp" / "CP-1").symlink_to(tmp_path / "elsewhere")
    SecretFiles(empty).remove("cp/CP-1")
    assert SecretFiles(empty).names("cp") == []
    assert (tmp_path / "elsewhere" / "engine").read_text() == "kept"


@pytest.mark.parametrize(
    "name", ["../x", "cp/../../x", "/etc/x", "cp/CP-1/engine/x", "", "a\nb", "."]
)
def test_no_name_leads_out_of_the_home(empty: Home, name: str) -> None:
    for look in (empty.secret, empty.journal, empty.engine_socket, empty.lock):
        with pytest.raises(BadValue):
            look(name)


def test_the_longest_secret_is_found_whole(empty: Home) -> None:
    """CAs, or a key with its certificate and those between it and its CA."""
    secrets, longest = SecretFiles(empty), "-" * MAX_PEM
    assert secrets.restore("cp/CP-001/backend.pem", longest)
    assert secrets.find("cp/CP-001/backend.pem") == longest
    assert not secrets.restore("cp/CP-001/backend.pem", longest)
