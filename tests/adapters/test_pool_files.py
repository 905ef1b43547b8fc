"""Member files in conf/pools, and what may stand in their place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from evcs.adapters.pool_files import MemberFile, PoolFiles

ODD: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "folder with a folder": lambda path: (path / "x").mkdir(parents=True),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link below a file": lambda path: path.symlink_to("/dev/null/x"),
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_what_is_no_file_names_nobody_and_gives_way(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    path, files = tmp_path / "_pool-1.json", PoolFiles(tmp_path)
    make(path)
    assert MemberFile(path).members() is None
    assert files.members() == {"_pool-1": None}
    files.write("_pool-1", {"CP-1": "t1"})
    assert files.members() == {"_pool-1": {"CP-1": "t1"}}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_it_gives_way_where_nobody_is_to_be_named(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "_pool-1.json")
    PoolFiles(tmp_path).erase("_pool-1")
    assert PoolFiles(tmp_path).members() == {}


def test_what_could_not_be_read_is_read_again(tmp_path: Path) -> None:
    path, file = tmp_path / "_pool-1.json", MemberFile(tmp_path / "_pool-1.json")
    path.symlink_to(tmp_path / "target.json")
    (tmp_path / "target.json").symlink_to("target.json")
    assert file.members() is None
    (tmp_path / "target.json").unlink()
    PoolFiles(tmp_path).write("_pool-2", {"CP-1": "t1"})
    (tmp_path / "_pool-2.json").rename(tmp_path / "target.json")
    assert file.members() == {"CP-1": "t1"}
