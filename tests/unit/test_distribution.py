"""The names by which tests are handed out are those of files that there are."""

from __future__ import annotations

from tests import distribution
from tests.system_under_test import ROOT


def test_each_is_there() -> None:
    for name in (
        *distribution.APART,
        *distribution.TOGETHER,
        *distribution.WORK,
        *distribution.FIRST,
    ):
        assert (ROOT / name).exists(), name


def test_files_stay_whole_but_where_nothing_is_shared() -> None:
    assert distribution.unit("tests/unit/test_a.py::test_b[1]") == "tests/unit/test_a.py"
    assert distribution.unit("tests/install/test_a.py::test_b") == "tests/install/"
    one = next(iter(distribution.APART)) + "::test_b[1]"
    assert distribution.unit(one) == one
