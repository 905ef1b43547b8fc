"""The CLI's one call on the web process: a link that signs the operator in."""

from __future__ import annotations

import http.client
import json
import ssl

from evcs.adapters import secret_files
from evcs.adapters.registry_http import connect, error_from
from evcs.adapters.tls import refused
from evcs.config import Settings
from evcs.core.errors import Unreachable


def login_link(settings: Settings) -> str:
    """A one-time link. Raises Unreachable where the web process isn't there."""
    token = secret_files.read(settings.home, "operator.token")
    connection = connect(settings.web, 10)
    try:
        connection.request("POST", "/api/v1/login", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except ssl.SSLCertVerificationError as error:
        raise refused("page", error) from None
    except (OSError, http.client.HTTPException, ValueError):
        raise Unreachable(
            f"the web page does not answer on port {settings.web_port}", "start it: evcs up"
        ) from None
    finally:
        connection.close()
    if answer.status >= 400:
        raise error_from(found)
    return str(found["url"])
