"""What is vendored is what VENDOR.md says, and pages fetch nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from evcs.services.web.pages import STATIC

VENDORS = (STATIC / "vendor", Path(__file__).parent / "vendor")
ROW = re.compile(r"^\| (\S+) \| \S+ \| [\d.]+ \| \S+ \| .+ \| ([0-9a-f]{64}) \|$", re.MULTILINE)


@pytest.mark.parametrize("vendor", VENDORS)
def test_sums_are_as_written_and_complete(vendor: Path) -> None:
    written = dict(ROW.findall((vendor / "VENDOR.md").read_text()))
    files = {path.name for path in vendor.iterdir() if path.suffix in (".js", ".css")}
    assert set(written) == files
    for name, expected in written.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == expected


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_licence_is_there(vendor: Path) -> None:
    for name in re.findall(r"\((LICENSE\.[\w-]+)\)", (vendor / "VENDOR.md").read_text()):
        assert (vendor / name).stat().st_size > 500


def test_no_page_fetches_from_elsewhere_or_runs_inline_script() -> None:
    for path in [*STATIC.glob("*.html"), *STATIC.glob("js/*.js"), *STATIC.glob("css/*.css")]:
        text = path.read_text()
        assert not re.search(r"(src|href|url|import|fetch|from)\W{1,3}https?://", text), path
        assert "<style" not in text, path
        assert not re.search(r"<script(?![^>]* src=)", text), path
        assert not re.search(r"\b(innerHTML|outerHTML|dangerouslySet|document\.write)", text), path
