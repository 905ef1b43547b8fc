"""Identities' passwords: one file each (0600) below data/secrets, holding it alone.

CP processes read theirs, so what only a writer needs is imported where it writes.
"""

from __future__ import annotations

from pathlib import Path

from evcs.adapters.files import make_folder, sync_folder, write_atomic
from evcs.core.errors import Unreachable
from evcs.core.ids import is_id
from evcs.home import Home


class SecretFiles:
    """Those of one home, by identity ("central", "cp/CP-001/engine"); writing may raise OSError."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def create(self, identity: str) -> str:
        """A new 256-bit password for the identity, on disk before it is returned."""
        import secrets

        from evcs.adapters.heartbeat import beat

        beat()  # of a bulk create each waits for the disk
        password = secrets.token_urlsafe(32)
        self._write(identity, password)
        return password

    def restore(self, identity: str, password: str) -> bool:
        """Put a known password back where its file was lost or changed; whether it was."""
        try:
            if self._home.secret(identity).read_bytes() == password.encode():
                return False
        except OSError:
            pass
        self._write(identity, password)
        return True

    def read(self, identity: str) -> str:
        """The identity's password. Raises Unreachable where it has none, or an empty one."""
        found = self._found(identity)
        if not found:
            raise Unreachable(
                f"no readable secret of {identity} in {self._home.secret(identity).parent}",
                "start the system with: evcs up; if it runs: evcs restart",
            )
        return found

    def ensure(self, identity: str) -> str:
        """The identity's password, made where it is missing or empty."""
        return self._found(identity) or self.create(identity)

    def remove(self, identity: str) -> None:
        """Remove a CP's or driver's secret, file or folder; absent is well."""
        import shutil

        path = self._home.secret(identity)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)

    def names(self, kind: str) -> list[str]:
        """Ids that have secrets below data/secrets/<kind> ("cp", "driver"); no other names."""
        folder: Path = self._home.data / "secrets" / kind
        found = (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
        return sorted(name for name in found if is_id(name))

    def _write(self, identity: str, password: str) -> None:
        path, top = self._home.secret(identity), self._home.data / "secrets"
        for folder in reversed((path.parent, *path.parent.parents)):
            if folder.is_relative_to(top):
                make_folder(folder, 0o700)
        write_atomic(path, password.encode(), 0o600)

    def _found(self, identity: str) -> str:
        try:
            return self._home.secret(identity).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""
