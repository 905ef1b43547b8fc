"""Identities' passwords: one file each (0600) below data/secrets, holding it alone.

CP processes read theirs, so what only a writer needs is imported where it writes.
"""

from __future__ import annotations

from pathlib import Path

from evcs.adapters.files import make_folder, sync_folder, write_atomic
from evcs.config import Home
from evcs.core.errors import Unreachable
from evcs.core.ids import is_id

SERVICES = ("registry", "central", "web", "manager/main", "operator", "inspector")


def create(home: Home, identity: str) -> str:
    """A new 256-bit password for the identity, on disk before it is returned."""
    import secrets

    from evcs.adapters.heartbeat import beat

    beat()  # of a bulk create each waits for the disk
    password = secrets.token_urlsafe(32)
    _write(home, identity, password)
    return password


def restore(home: Home, identity: str, password: str) -> bool:
    """Put a known password back where its file was lost or changed; whether it was."""
    try:
        if home.secret(identity).read_bytes() == password.encode():
            return False
    except OSError:
        pass
    _write(home, identity, password)
    return True


def _write(home: Home, identity: str, password: str) -> None:
    path, top = home.secret(identity), home.data / "secrets"
    for folder in reversed((path.parent, *path.parent.parents)):
        if folder.is_relative_to(top):
            make_folder(folder, 0o700)
    write_atomic(path, password.encode(), 0o600)


def read(home: Home, identity: str) -> str:
    """The identity's password. Raises Unreachable where it has none, or an empty one."""
    found = _found(home, identity)
    if not found:
        raise Unreachable(
            f"no readable secret of {identity} in {home.secret(identity).parent}",
            "start the system with: evcs up; if it runs: evcs restart",
        )
    return found


def ensure(home: Home, identity: str) -> str:
    """The identity's password, made where it is missing or empty."""
    return _found(home, identity) or create(home, identity)


def _found(home: Home, identity: str) -> str:
    try:
        return home.secret(identity).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def remove(home: Home, identity: str) -> None:
    """Remove a CP's or driver's secret, file or folder; absent is well."""
    import shutil

    path = home.secret(identity)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_folder(path.parent)


def names(home: Home, kind: str) -> list[str]:
    """Ids that have secrets below data/secrets/<kind> ("cp", "driver"); no other names."""
    folder: Path = home.data / "secrets" / kind
    found = (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name for name in found if is_id(name))
