"""Who may open the connection of a live conversion: this page's users, from this page."""

from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection


def is_from_this_page(connection: HTTPConnection) -> bool:
    """Return whether a page of this server opens a connection.

    Browsers send the page's origin with every WebSocket, and let no script change it. A server
    with https before this one may change `Host`, and names the original in `X-Forwarded-Host`.

    Args:
        connection: Connection that a browser opens.
    """
    origin = urlsplit(connection.headers.get("origin", "")).netloc.lower()
    own = (connection.headers.get(name, "").lower() for name in ("host", "x-forwarded-host"))
    return bool(origin) and origin in own


def is_logged_in(connection: HTTPConnection, app: Any) -> bool:
    """Return whether a user has given the page's password, or the page has none.

    Args:
        connection: Connection with the cookies that Gradio set at the login.
        app: Application of Gradio.
    """
    if app.auth is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(connection.cookies.get(name) in app.tokens for name in names)
