"""Client of a language model behind an OpenAI-compatible endpoint, with retries.

Standard library only. The API key is an argument: this module does not read the environment and
keeps the key out of messages.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchdesign.errors import BenchdesignError, InputError

__all__ = ["Endpoint", "EndpointError"]

_RETRY_STATUSES = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_MAX_WAIT_SECONDS = 60.0
_MAX_ANSWER_BYTES = 16 << 20


class EndpointError(BenchdesignError):
    """A language model gave no answer or a malformed one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address, model and key of a language model."""

    url: str
    """Base URL, such as `http://localhost:8000/v1`."""

    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 120.0
    n_tries: int = 5
    wait: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        """Raise if the URL is not http(s) or contains credentials."""
        parts = urllib.parse.urlsplit(self.url)
        if "@" in parts.netloc:
            raise InputError(
                "--endpoint: a user name or password in the address is visible in the process "
                "list; set BENCHDESIGN_API_KEY instead."
            )
        if parts.scheme not in ("http", "https"):
            raise InputError(
                f"--endpoint {self.url}: must be an http or https address ending in /v1."
            )

    def ask(self, instructions: str, question: str) -> Any:
        """Return the model's answer, parsed as JSON."""
        body = {
            "model": self.model,
            "temperature": 0,
            "messages": [
                {"role": "system", "content": instructions},
                {"role": "user", "content": question},
            ],
        }
        answer = self._post(f"{self.url.rstrip('/')}/chat/completions", body)
        try:
            content = answer["choices"][0]["message"]["content"]
            return _first_json(str(content))
        except (KeyError, IndexError, TypeError, ValueError, RecursionError):
            raise EndpointError(
                f"{self.model}: the answer contains no JSON; try another model."
            ) from None

    def _post(self, url: str, body: Mapping[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            url, data=json.dumps(body).encode(), headers=headers, method="POST"
        )
        for attempt in range(self.n_tries):
            pause = min(2.0**attempt, _MAX_WAIT_SECONDS)
            try:
                with _opener().open(request, timeout=self.timeout) as response:
                    return json.loads(response.read(_MAX_ANSWER_BYTES))
            except urllib.error.HTTPError as problem:
                with problem:
                    reason = self._without_key(f"{problem.code} {problem.reason}")
                    retry_after = problem.headers.get("Retry-After") or ""
                if problem.code not in _RETRY_STATUSES:
                    raise EndpointError(
                        f"{url}: refused ({reason}); check the address, model and key."
                    ) from None
                if retry_after.isdecimal():
                    pause = min(float(retry_after), _MAX_WAIT_SECONDS)
            except (
                *(urllib.error.URLError, TimeoutError, ConnectionError),
                http.client.HTTPException,
            ) as problem:
                reason = self._without_key(str(getattr(problem, "reason", problem)))
            except (ValueError, RecursionError):
                raise EndpointError(f"{url}: the answer is not JSON; check the address.") from None
            if attempt + 1 < self.n_tries:
                self.wait(pause)
        raise EndpointError(f"{url}: no answer after {self.n_tries} tries ({reason}).")

    def _without_key(self, text: str) -> str:
        """Remove the key from a message of the server."""
        return text.replace(self.key, "[key]") if self.key else text


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Handler that follows no redirect, which could send the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, so that the redirect counts as an error."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)


def _first_json(text: str) -> Any:
    """Parse the first JSON object in an answer; prose or a code fence may surround it."""
    start = text.index("{")
    value, _ = json.JSONDecoder().raw_decode(text[start:])
    return value
