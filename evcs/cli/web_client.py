"""The operator's way in from the command line: a one-time link, and a browser led to it."""

from __future__ import annotations

import html
import http.client
import json
import ssl
import webbrowser

from evcs.adapters.files import write_atomic
from evcs.adapters.registry_http import connect, error_from
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.tls import refused
from evcs.cli.common import require_running
from evcs.cli.supervision import require_own
from evcs.config import Settings
from evcs.core.errors import EvcsError, Unreachable
from evcs.home import Home


def login_link(settings: Settings) -> str:
    """A one-time link. Raises Unreachable where the web process isn't there."""
    require_running(settings, "the web page", "web_port")
    token = SecretFiles(settings.home).read("operator.token")
    connection = connect(settings.web, 10)
    try:
        connection.request("POST", "/api/v1/login", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        url = str(found.get("url"))
    except ssl.SSLCertVerificationError as error:
        raise refused("page", error) from None
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        raise Unreachable(
            f"the web page does not answer on port {settings.web_port}", "start it: evcs up"
        ) from None
    finally:
        connection.close()
    if answer.status >= 400:
        raise error_from(found)
    return url


def lead_browser(home: Home, link: str) -> None:
    """Open the browser on a page that only this user can read, and that leads to the link.

    A command line can be read by every user of the machine, so the link must not be in one.
    The page stays, and is the next one's; its link works once, within a minute.
    """
    require_own(home)
    page = home.run / "open.html"
    where = html.escape(link, quote=True)
    text = (
        '<!doctype html><meta charset="utf-8"><title>evcs</title>'
        f'<meta http-equiv="refresh" content="0; url={where}"><a href="{where}">evcs</a>\n'
    )
    try:
        write_atomic(page, text.encode(), 0o600)
    except OSError as error:
        raise EvcsError(f"{page} can't be written: {error}", "open the link yourself") from None
    webbrowser.open(page.as_uri())
