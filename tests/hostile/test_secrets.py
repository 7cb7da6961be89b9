"""The key of an endpoint comes from the environment and goes to the endpoint, nowhere else."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchdesign.cli import run_command
from benchdesign.concepts.labels.chat_endpoint import Endpoint, EndpointError
from benchdesign.concepts.training.context_files import write_contexts
from benchdesign.errors import InputError
from tests.concepts.test_labels import make_contexts
from tests.helpers import make_tiny_dictionary

KEY = "sk-5e471be1-do-not-tell"


@contextmanager
def endpoint(answers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that labels, refuses, echoes, redirects or breaks off; yields address and keys."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Authorization"] or "")
            getattr(self, answers)(body)

        def label(self, body: bytes) -> None:
            asked = json.loads(json.loads(body)["messages"][1]["content"])
            answer = json.dumps({key: f"label {key}" for key in asked})
            self.say({"choices": [{"message": {"content": answer}}]})

        def refuse(self, _: bytes) -> None:
            self.send_response(401, f"bad key {self.headers['Authorization']}\x1b[2J")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def echo(self, _: bytes) -> None:
            self.say({"error": {"message": f"unknown model for {self.headers['Authorization']}"}})

        def redirect(self, _: bytes) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/elsewhere")  # type: ignore[attr-defined]
            self.send_header("Content-Length", "0")
            self.end_headers()

        def break_off(self, _: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
            self.close_connection = True

        def do_GET(self) -> None:
            keys.append(f"elsewhere {self.headers['Authorization']}")
            self.say({})

        def say(self, content: Any) -> None:
            payload = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", keys
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("answers", ["label", "refuse", "echo", "redirect", "break_off"])
def test_key_is_sent_and_never_told_or_kept(
    answers: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BENCHDESIGN_API_KEY", f"{KEY}\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(Endpoint.__init__, "__defaults__", (None, 120.0, 2, lambda _: None))
    dictionary = make_tiny_dictionary(tmp_path / "dictionary", model=tmp_path / "model")
    write_contexts([make_contexts(number, "cat") for number in range(3)], tmp_path / "c.jsonl")
    with endpoint(answers) as (url, keys):
        code = run_command(
            [
                *(
                    "dictionary",
                    "label",
                    str(dictionary),
                    "--endpoint",
                    url,
                    "--llm",
                    "tiny",
                    "--yes",
                ),
                *("--contexts", str(tmp_path / "c.jsonl"), "--out", str(tmp_path / "out"), "-q"),
            ]
        )
    captured = capsys.readouterr()
    assert code == (0 if answers == "label" else 1), captured.err
    assert keys[0] == f"Bearer {KEY}"
    assert not [key for key in keys if key.startswith("elsewhere")]
    assert KEY not in captured.out + captured.err
    assert "\x1b" not in captured.out + captured.err
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []


def test_no_option_takes_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["dictionary", "label", "--help"])
    captured = capsys.readouterr().out
    assert "--endpoint" in captured
    assert "key" not in [word.strip("-").lower() for word in captured.split() if word[:2] == "--"]
    assert "BENCHDESIGN_API_KEY" in captured


def test_preferences_show_no_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCHDESIGN_API_KEY", KEY)
    for arguments in (["config", "show"], ["config", "show", "--json"]):
        assert run_command(arguments) == 0
    assert KEY not in capsys.readouterr().out


def test_password_in_an_address_is_refused_without_saying_it() -> None:
    with pytest.raises(InputError, match="process list") as caught:
        Endpoint(f"https://someone:{KEY}@example.org/v1", "tiny")
    assert KEY not in str(caught.value)


def test_key_that_is_no_header_is_not_told() -> None:
    chat_endpoint = Endpoint(
        "http://127.0.0.1:9/v1", "tiny", key=f"{KEY}\nX: y", wait=lambda _: None
    )
    with pytest.raises(EndpointError) as caught:
        chat_endpoint.ask("a", "b")
    assert KEY not in str(caught.value)
    assert KEY not in repr(chat_endpoint)
