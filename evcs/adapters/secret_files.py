"""Identities' passwords: one file each (0600) below data/secrets, holding it alone.

CP processes read theirs, so what only a writer needs is imported where it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from evcs.adapters.files import make_folder, read_small, sync_folder, write_each
from evcs.core.errors import Unreachable
from evcs.core.identities import of_station
from evcs.core.ids import is_id, is_word
from evcs.home import Home


class SecretFiles:
    """Those of one home, by identity ("central", "cp/CP-001/engine"); writing may raise OSError."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def create(self, identity: str) -> str:
        """A new password for the identity, of 256 bits or, where people type it, of 20 characters.

        It is on disk before it is returned.
        """
        return self.create_all((identity,))[identity]

    def create_all(self, identities: Iterable[str]) -> dict[str, str]:
        """The same for each of them, by identity; many wait for the disk once."""
        made = {identity: _new(identity) for identity in identities}
        self._write(made)
        return made

    def restore(self, identity: str, password: str) -> bool:
        """Put a known password back where its file was lost or changed; whether it was."""
        try:
            if read_small(self._home.secret_name(identity)) == password.encode():
                return False
        except OSError:
            pass
        self._write({identity: password})
        return True

    def read(self, identity: str) -> str:
        """The identity's password. Raises Unreachable where it has none that can be one."""
        found = self._password(identity)
        if not found:
            raise Unreachable(
                f"no readable secret of {identity} in {self._home.secret(identity).parent}",
                "start the system with: evcs up; if it runs: evcs restart",
            )
        return found

    def find(self, identity: str) -> str:
        """The identity's password, "" where it has none that can be read."""
        try:
            return read_small(self._home.secret_name(identity)).decode("ascii").strip()
        except (OSError, ValueError):
            return ""

    def ensure(self, identity: str) -> str:
        """The identity's password, made where there is none that can be one."""
        return self._password(identity) or self.create(identity)

    def _password(self, identity: str) -> str:
        found = self.find(identity)
        return found if is_word(found) else ""

    def remove(self, *identities: str) -> None:
        """Remove secrets of CPs or drivers, files or folders; absent is well."""
        import shutil

        paths = [self._home.secret(identity) for identity in identities]
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for folder in {path.parent for path in paths}:
            if folder.is_dir():
                sync_folder(folder)

    def names(self, kind: str) -> list[str]:
        """Ids that have secrets below data/secrets/<kind> ("cp", "driver"); no other names."""
        folder: Path = self._home.data / "secrets" / kind
        found = (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
        return sorted(name for name in found if is_id(name))

    def _write(self, passwords: Mapping[str, str]) -> None:
        top = self._home.data / "secrets"
        made = {top.parent}

        def make(folder: Path) -> None:
            if folder not in made:
                make(folder.parent)
                make_folder(folder, 0o700)
                made.add(folder)

        contents = {self._home.secret(one): word.encode() for one, word in passwords.items()}
        for path in contents:
            make(path.parent)
        write_each(contents, 0o600)


def _new(identity: str) -> str:
    import secrets
    import string

    if identity.startswith(of_station("")):
        return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(20))
    return secrets.token_urlsafe(32)
