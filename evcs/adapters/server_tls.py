"""A server's side of TLS: its certificate, renewed while it runs."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from evcs.adapters import certificates
from evcs.core.errors import EvcsError

_log = logging.getLogger("evcs")


class ServerTls:
    """A server's side: one PEM file with its key and certificate, read again when it changes."""

    def __init__(self, path: Path, clients: Path | None = None) -> None:
        """`clients`: who signs those of clients, which may show one. Raises EvcsError."""
        self._path, self._clients = path, clients
        self._read = self._stamp()
        try:
            self._context, self.names = self._load()
        except (OSError, EvcsError) as error:
            raise EvcsError(
                f"the certificate {path} can't be used: {error}", "run: evcs tls init"
            ) from None

    def context(self) -> ssl.SSLContext:
        """The context for the next connection; a file that can't be used leaves the old one."""
        found = self._stamp()
        if found != self._read:
            self._read = found
            try:
                self._context, self.names = self._load()
                _log.info("the renewed certificate is in use")
            except (OSError, EvcsError) as error:
                _log.error("the new certificate can't be used: %s; run: evcs tls init", error)
        return self._context

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def _load(self) -> tuple[ssl.SSLContext, frozenset[str]]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._path)
        if self._clients is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self._clients)
        return context, certificates.read(self._path).names
