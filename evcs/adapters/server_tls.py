"""A server's side of TLS: its certificate, renewed while it runs."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from evcs.adapters import certificates
from evcs.core.errors import EvcsError
from evcs.home import Home

_log = logging.getLogger("evcs")


#: What OCPP wants of a server, besides what Python takes by itself: chargers without ECDHE.
_FOR_CHARGERS = (
    "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:AES128-GCM-SHA256:AES256-GCM-SHA384:"
    "!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
)


class ServerTls:
    """A server's side: one PEM file with its key and certificate, read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Raises EvcsError where it can't be used."""
        self._path = path
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
        return context, certificates.read(self._path).names


class ChargersTls(ServerTls):
    """The gateway's side: chargers may show a certificate of the home's CA, and know RSA alone."""

    def __init__(self, home: Home) -> None:
        self._home = home
        super().__init__(certificates.server(home))

    def listener(self, refused: Callable[[], object]) -> ssl.SSLContext:
        """One context for all connections: each has the certificate of its time.

        `refused`: a client has shown a certificate that is of another CA, or has ended.
        """
        context = self.context()

        class Watched(ssl.SSLObject):
            """One whose failure nobody else would hear of."""

            def do_handshake(self) -> None:
                try:
                    super().do_handshake()
                except ssl.SSLCertVerificationError as error:
                    _log.warning("a client's certificate is refused: %s", error.verify_message)
                    refused()
                    raise

        context.sslobject_class = Watched

        def renew(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self.context()

        context.sni_callback = renew
        return context

    def _load(self) -> tuple[ssl.SSLContext, frozenset[str]]:
        context, names = super()._load()
        context.set_ciphers(_FOR_CHARGERS)
        # Beside a certificate of somebody else's CA it would be taken for that one's.
        if certificates.is_of_authority(self._home, certificates.server_rsa(self._home)):
            context.load_cert_chain(certificates.server_rsa(self._home))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(self._home.ca)
        return context, names
