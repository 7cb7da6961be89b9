"""The interface in a browser: who is let in, and one candidate reviewed by keys in Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchdesign.errors import UsageError
from tests.tui.conftest import GUARD_SECONDS, Bench

aiohttp = pytest.importorskip("aiohttp", reason="needs the extra `web`")
web = pytest.importorskip("benchdesign.tui.browser_server", reason="needs the extra `web`")

ROOT = Path(__file__).parents[2]
SERVE = (
    "import sys; from benchdesign.tui.browser_server import LocalServer;"
    "LocalServer(sys.argv[1], port=int(sys.argv[2]), token=sys.argv[3]).serve()"
)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


@contextlib.contextmanager
def served(bench: Bench) -> Iterator[str]:
    """Serve a workspace; gives the address without the token, which is `secret`."""
    port = web.free_port(0)
    command = shlex.join([sys.executable, "-m", "tests.tui.keyword_app", str(bench.work)])
    environ = {**os.environ, "BENCHDESIGN_CONFIG": str(bench.folder / "config.toml")}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, command, str(port), "secret"], cwd=ROOT, env=environ
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(GUARD_SECONDS)


async def get(session: Any, url: str, **options: Any) -> Any:
    """Get a page, once the server is up."""
    async with asyncio.timeout(GUARD_SECONDS):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectorError):
                return await session.get(url, **options)
            await asyncio.sleep(0.05)


@pytest.mark.process
async def test_only_who_has_the_token_is_let_in(bench: Bench) -> None:
    with served(bench) as address:
        async with aiohttp.ClientSession() as session:
            answer = await get(session, address)
            assert answer.status == 403 and "Token required" in await answer.text()
            assert (await get(session, f"{address}/?token=wrong")).status == 403
            assert (await get(session, f"{address}/static/js/textual.js")).status == 403
            assert (await get(session, f"{address}/ws?token=secret")).status == 403
            elsewhere = {"Host": "benchdesign.example:80"}
            url = f"{address}/?token=secret"
            assert (await get(session, url, headers=elsewhere)).status == 403
            other_page = {"Origin": "http://benchdesign.example"}
            assert (await get(session, url, headers=other_page)).status == 403


@pytest.mark.process
async def test_the_page_names_nothing_outside_the_machine(bench: Bench) -> None:
    with served(bench) as address:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            answer = await get(session, f"{address}/?token=secret")
            text = await answer.text()
            assert answer.status == 200 and str(answer.url) == f"{address}/"
            assert "https:" not in text and text.count("http:") == text.count(address)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
            (cookie,) = list(session.cookie_jar)
            assert cookie["httponly"] and cookie["samesite"] == "Strict"


def test_a_port_in_use_is_said_in_one_line() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="choose another with --port"):
            web.free_port(taken.getsockname()[1])


class Chromium:
    """A browser driven over its debugging protocol; keeps what the page asked for."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._n = 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._answers: dict[int, Any] = {}

    async def listen(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            if "id" in event:
                self._answers[event["id"]] = event
            elif event["method"] == "Network.requestWillBeSent":
                self.requests.append(event["params"]["request"]["url"])
            elif event["method"] == "Network.webSocketCreated":
                self.requests.append(event["params"]["url"])
            elif event["method"] == "Log.entryAdded":
                entry = event["params"]["entry"]
                if entry["level"] == "error":
                    self.errors.append(entry["text"])

    async def call(self, method: str, **options: Any) -> Any:
        self._n += 1
        number = self._n
        await self._socket.send_json({"id": number, "method": method, "params": options})
        await wait_until(lambda: number in self._answers)
        return self._answers.pop(number).get("result")

    async def evaluate(self, expression: str) -> Any:
        # Between two pages there is nothing to evaluate in.
        answer = await self.call("Runtime.evaluate", expression=expression) or {}
        return answer.get("result", {}).get("value")

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **text)


async def wait_until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(GUARD_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def chromium(user: Path) -> AsyncIterator[Chromium]:
    browser = subprocess.Popen(
        [
            str(BROWSER),
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            *("--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={user}"),
            *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1280,800"),
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        where = user / "DevToolsActivePort"
        await wait_until(lambda: where.is_file() and bool(where.read_text().strip()))
        port = where.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            answer = await get(session, f"http://127.0.0.1:{port}/json")
            page = next(target for target in await answer.json() if target["type"] == "page")
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                browser_page = Chromium(socket)
                listening = asyncio.create_task(browser_page.listen())
                yield browser_page
                listening.cancel()
    finally:
        browser.terminate()
        browser.wait(GUARD_SECONDS)


@pytest.mark.process
@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
async def test_a_candidate_is_reviewed_in_a_browser_and_is_on_disk(bench: Bench) -> None:
    log = bench.work / "decisions.jsonl"
    with served(bench) as address:
        async with chromium(bench.folder / "user") as page:
            for domain in ("Page", "Network", "Log", "Runtime"):
                await page.call(f"{domain}.enable")
            await page.call("Page.navigate", url=f"{address}/?token=secret")
            async with asyncio.timeout(GUARD_SECONDS):
                while not await page.evaluate("document.body.className.includes('-first-byte')"):
                    await asyncio.sleep(0.05)
            assert await page.evaluate("location.href") == f"{address}/"
            # The analysis may still be loading; a key on an empty list does nothing. The page takes
            # the focus where it likes while it starts.
            async with asyncio.timeout(GUARD_SECONDS):
                while not (log.is_file() and log.stat().st_size):
                    await page.evaluate("document.querySelector('.xterm-helper-textarea')?.focus()")
                    await page.press("5")
                    await page.press("a")
                    await asyncio.sleep(0.1)
            entry = json.loads(log.read_text("ascii").splitlines()[0])
            assert entry["verdict"] == "accept" and entry["id"].startswith("p-")
            local = address.partition("//")[2]
            allowed = (f"http://{local}/", f"ws://{local}/", "data:", "about:")
            assert [request for request in page.requests if not request.startswith(allowed)] == []
            assert any(request.startswith("ws:") for request in page.requests)
            assert page.errors == []
