"""Serve the interface to a browser on the same machine, protected by a token.

textual-serve has no authentication, accepts any Host header and loads a font from the network.
Here the first request needs the token and later requests an HttpOnly, SameSite=Strict cookie, and
the content security policy restricts the page to this server.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual_serve.server import Server

from benchdesign.errors import UsageError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["LocalServer", "free_port"]

_HOST = "127.0.0.1"

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


def free_port(port: int) -> int:
    """Return the port to listen on (0 chooses any); raise UsageError if it is in use."""
    with socket.socket() as probe:
        # As the server does, so that a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be used ({error.strerror}); choose another with --port."
            ) from None
        return int(probe.getsockname()[1])


class LocalServer(Server):  # type: ignore[misc]
    """Serve one command on the loopback interface, protected by a token."""

    def __init__(self, command: str, *, port: int, token: str | None = None) -> None:
        super().__init__(
            command,
            host=_HOST,
            port=port,
            title="benchdesign",
            templates_path=Path(__file__).parent / "page",
        )
        self.public_url = f"http://{_HOST}:{port}"
        self.token = token or secrets.token_urlsafe(24)
        # Cookies ignore the port: two servers on one host need different cookie names.
        self._cookie = f"benchdesign-{port}"

    @property
    def address(self) -> str:
        """The URL of the page, with the token."""
        return f"{self.public_url}/?token={self.token}"

    def initialize_logging(self) -> None:
        """Log warnings only, not every request."""
        logging.basicConfig(level="WARNING", format="%(message)s")

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: the command has printed the URL already."""

    async def _make_app(self) -> web.Application:
        from aiohttp import web

        app: web.Application = await super()._make_app()

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app.middlewares.append(guard)
        app.on_response_prepare.append(self._harden)
        return app

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        from aiohttp import web

        # DNS rebinding: a foreign host name can resolve to this server; the Host header reveals it.
        if request.host != f"{_HOST}:{self.port}":
            raise web.HTTPForbidden(text=f"Open {self.public_url}, not another host name.\n")
        if request.headers.get("Origin", self.public_url) != self.public_url:
            raise web.HTTPForbidden(text="Requests from other pages are rejected.\n")
        token = request.query.get("token", "")
        if request.path == "/" and _tokens_match(token, self.token):
            # The redirect removes the token from the address bar, the history and screenshots.
            response = web.HTTPFound("/")
            response.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict")
            raise response
        if not _tokens_match(request.cookies.get(self._cookie, ""), self.token):
            raise web.HTTPForbidden(
                text="Token required: open the address that `benchdesign serve` printed.\n"
            )
        return await handler(request)

    async def _harden(self, request: web.Request, response: web.StreamResponse) -> None:
        if "Upgrade" in response.headers:
            return
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
            f"font-src 'self'; img-src 'self' data:; connect-src 'self' ws://{_HOST}:{self.port}; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"


def _tokens_match(value: str, token: str) -> bool:
    return hmac.compare_digest(value.encode("utf-8", "replace"), token.encode("ascii"))
