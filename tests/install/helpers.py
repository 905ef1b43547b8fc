"""Running the scripts of a copy of this tree, and telling what they changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests import ports

ROOT = Path(__file__).resolve().parents[2]


# Where the tests are root's: a user namespace in which the owner of what they made is somebody
# whose number has no name, with no right over anything else.
AS_NOBODY = (
    ["unshare", "--user", "--map-user=54321", "--map-group=54321", "--"]
    if os.geteuid() == 0
    else []
)


def environment(**more: str) -> dict[str, str]:
    """This environment, without what points to a system or a tree of the caller's.

    The usual port may be held by a system that runs here; another is looked at.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EVCS_", "PYTHON")) and name != "DESTDIR"
    }
    return {"EVCS_MQTT_PORT": str(ports.free(1)[0])} | kept | more


def run(
    *command: str | Path, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def in_repository() -> list[str]:
    """The files that a clone would hold if everything here were committed."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-c", "-o", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def copy_sources(target: Path) -> Path:
    """A clone, as it would be if everything here were committed."""
    for name in in_repository():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    return target


def clone(source: Path, target: Path) -> Path:
    """A copy to change, links and times included."""
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
    return target


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, str]]:
    """Every path below a folder, with what a change of it would change.

    Python may write its caches whenever it runs.
    """
    found = {}
    for path in folder.rglob("*"):
        if "__pycache__" not in path.parts:
            stat = path.lstat()
            size, changed = (0, 0) if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
            link = str(path.readlink()) if path.is_symlink() else ""
            found[str(path.relative_to(folder))] = (stat.st_mode, size, changed, link)
    return found
