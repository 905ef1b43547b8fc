"""paho without what a CP process has no use for: a quarter of its start and memory (measured)."""

from __future__ import annotations

import encodings.ascii
import sys
import types
import urllib


def lighten() -> None:
    """Keep ssl, urllib.request and their like out; to be called before paho is imported.

    paho imports ssl and urllib.request and uses of them, without TLS, only two exceptions'
    names and a look for proxies.
    """
    ssl = types.ModuleType("ssl")
    for name in ("SSLWantReadError", "SSLWantWriteError", "CertificateError"):
        setattr(ssl, name, type(name, (OSError,), {}))
    request = types.ModuleType("urllib.request")
    sys.modules.update({"ssl": ssl, "urllib.request": request})
    urllib.request = request  # type: ignore[attr-defined]
    # Its one question, and names that aren't ASCII, which a broker's address never has.
    system = types.ModuleType("platform")
    system.system = lambda: "Linux"  # type: ignore[attr-defined]
    sys.modules.update({"platform": system, "encodings.idna": encodings.ascii})
