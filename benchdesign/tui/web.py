"""The interface in a browser on the same machine, for whoever has the address that was printed.

textual-serve has no login, answers any host name and asks the network for a font. Here the first
visit needs a token, later requests a cookie that scripts of other pages never see, and the page
may talk to nobody but this server.
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
    """Return the port to listen on (0 takes any); raises UsageError where it is in use."""
    with socket.socket() as probe:
        # As the server does: a port that was left a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as problem:
            raise UsageError(
                f"Port {port} cannot be used ({problem.strerror}); give another with --port."
            ) from None
        return int(probe.getsockname()[1])


class LocalServer(Server):  # type: ignore[misc]
    """Serves one command on loopback, behind a token."""

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
        # Cookies do not know ports: two workspaces served side by side need two names.
        self._cookie = f"benchdesign-{port}"

    @property
    def address(self) -> str:
        """The address that opens the page."""
        return f"{self.public_url}/?token={self.token}"

    def initialize_logging(self) -> None:
        """Say nothing of every request."""
        logging.basicConfig(level="WARNING", format="%(message)s")

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the command has said where the page is."""

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

        # A page elsewhere can make its own name point here; the browser then sends that name.
        if request.host != f"{_HOST}:{self.port}":
            raise web.HTTPForbidden(text=f"Use the address {self.public_url} as it was printed.\n")
        if request.headers.get("Origin", self.public_url) != self.public_url:
            raise web.HTTPForbidden(text="Requests from other pages are not answered.\n")
        given = request.query.get("token", "")
        if request.path == "/" and _same(given, self.token):
            # The token leaves the address bar, and so history and screenshots.
            response = web.HTTPFound("/")
            response.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict")
            raise response
        if not _same(request.cookies.get(self._cookie, ""), self.token):
            raise web.HTTPForbidden(
                text="The address needs its token: open the one that `benchdesign serve` printed.\n"
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


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("ascii"))
