"""The whole job in a real terminal, by keys alone, with the terminal killed in the middle."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.tui.conftest import GUARD_SECONDS

EXAMPLES = Path(__file__).parents[2] / "examples"
TMUX = shutil.which("tmux")

pytestmark = [pytest.mark.process, pytest.mark.skipif(TMUX is None, reason="needs tmux")]


class Terminal:
    """A terminal of 120 by 36 cells that is typed into and read from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = f"benchdesign-test-{os.getpid()}"

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(TMUX), "-L", self._socket, "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            timeout=GUARD_SECONDS,
            # A size in the environment would win over the terminal's own.
            env={
                name: value
                for name, value in os.environ.items()
                if name not in ("COLUMNS", "LINES")
            },
        )
        return done.stdout

    def start(self, *arguments: str) -> None:
        command = shlex.join([sys.executable, "-m", "benchdesign", *arguments])
        browser = self.folder / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" > {shlex.quote(str(self.folder / "opened"))}\n')
        browser.chmod(0o755)
        environ = {
            "BENCHDESIGN_CONFIG": str(self.folder / "config" / "config.toml"),
            "BENCHDESIGN_CACHE": str(self.folder / "cache"),
            "BENCHDESIGN_WHO": "ann",
            "BROWSER": str(browser),
            "OMP_NUM_THREADS": "1",
            "LANG": "C.UTF-8",
        }
        named = [part for name, value in environ.items() for part in ("-e", f"{name}={value}")]
        size = ("-x", "120", "-y", "36")
        # A server that was told to end may still be there, and takes no new session.
        for _ in range(20):
            self.tmux(
                "new-session", "-d", "-s", "main", *size, *named, "-c", str(self.folder), command
            )
            if self.tmux("list-sessions"):
                return
            time.sleep(0.25)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", "-t", "main", key)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-t", "main", "-l", text)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "main")

    def styled_line(self, text: str) -> str:
        """Return the line that holds a text, with its colours."""
        lines = self.tmux("capture-pane", "-e", "-p", "-t", "main").splitlines()
        return next((line for line in lines if text in line), "")

    def wait(self, holds: Callable[[], bool], *, what: str) -> None:
        """Wait for a state; the limit only ends a test that hangs."""
        end = time.monotonic() + GUARD_SECONDS
        while not holds():
            assert time.monotonic() < end, f"never: {what}; the screen was\n{self.screen()}"
            time.sleep(0.05)

    def until(self, *texts: str) -> None:
        """Wait until one of some texts is on screen."""
        self.wait(lambda: any(text in self.screen() for text in texts), what=f"{texts}")

    def until_without(self, text: str) -> None:
        """Wait until a text has left the screen."""
        self.wait(lambda: text not in self.screen(), what=f"no {text}")

    def until_gone(self) -> None:
        self.wait(lambda: not self.tmux("list-sessions"), what="the end")

    def kill(self) -> None:
        """Kill the program and its terminal as a crash would."""
        pid = int(self.tmux("list-panes", "-t", "main", "-F", "#{pane_pid}"))
        os.kill(pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal_under_test = Terminal(tmp_path)
    yield terminal_under_test
    terminal_under_test.close()


def cut(name: str, n: int, folder: Path) -> None:
    with (EXAMPLES / name).open(encoding="utf-8") as lines:
        (folder / name).write_text("".join(islice(lines, n)), "utf-8")


def decisions(folder: Path) -> list[dict[str, str]]:
    path = folder / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def saved_mode(folder: Path) -> str | None:
    """Return the screen that is opened next time."""
    path = folder / "ui.json"
    return json.loads(path.read_text("utf-8"))["mode"] if path.is_file() else None


def test_a_benchmark_becomes_a_revision_by_keys_alone(terminal: Terminal, tmp_path: Path) -> None:
    cut("benchmark.jsonl", 60, tmp_path)
    cut("pool.jsonl", 150, tmp_path)
    work = tmp_path / "benchmark-workspace"

    # A file without a workspace: its fields are shown, and nothing is written yet.
    terminal.start("open", "benchmark.jsonl", "--pool", "pool.jsonl")
    terminal.until("150 rows")
    assert "question  (detected)" in terminal.screen()
    assert not work.exists()
    # Textual hands a key to what has the focus when it comes, and focus follows a little later.
    without_focus = terminal.styled_line("Items to propose")
    terminal.press(*["Tab"] * 7)
    terminal.wait(
        lambda: terminal.styled_line("Items to propose") != without_focus, what="focus on the field"
    )
    terminal.type("12")
    terminal.until("to propose  12")
    terminal.press("C-n")

    # Mapping is stopped, which takes no time, and goes on.
    terminal.until("X stop")
    terminal.press("X")
    terminal.until("Stopped")
    terminal.press("R")
    terminal.until("mapping items", "Computed in")
    terminal.until("Coverage of the concept dictionary")

    # The scope panel opens, once the items are read, and is left as it was.
    terminal.press("c")
    terminal.until("What is the benchmark meant to test?")
    terminal.press("Escape")
    # A terminal reads escape and a key right behind it as alt and that key.
    terminal.until_without("What is the benchmark meant to test?")

    # Gaps by area, then candidates.
    terminal.press("4")
    terminal.until("[4 Gaps]")
    terminal.press("Right", "Down", "5")
    terminal.until("[5 Candidates]")
    terminal.until("Adds to")
    terminal.press("a", "r")
    terminal.until("rejected")
    terminal.press("c")
    terminal.until("esc cancel")
    terminal.press("Enter")
    terminal.until_without("esc cancel")
    terminal.press("d", "a", "u")
    terminal.until("to undo.")
    before = decisions(work)
    assert [
        decision.get("verdict") or decision.get("reason") or decision["action"]
        for decision in before
    ] == [
        "accept",
        "reject",
        "wrong key",
        "defer",
        "accept",
        "undo",
    ]
    accepted = before[0]["id"]

    # The terminal dies; what was decided is there, and so is the screen, saved now and then.
    terminal.wait(
        lambda: saved_mode(work) == "candidates",
        what="the state of the interface on disk",
    )
    terminal.kill()
    terminal.start("open", str(work))
    terminal.until("Adds to")
    assert "[5 Candidates]" in terminal.screen()
    assert decisions(work) == before

    # The revision, and its report.
    terminal.press("9")
    terminal.until("well covered")
    terminal.press("C-e")
    terminal.until("Wrote")
    revised = tmp_path / "benchmark-revised"
    text = (revised / "benchmark.revised.jsonl").read_text("utf-8")
    assert len(text.splitlines()) == 61
    (added,) = json.loads((revised / "revision.json").read_text("utf-8"))["added"]
    assert added["pool_id"] == accepted
    terminal.press("o")
    terminal.until("Opened")
    assert (tmp_path / "opened").read_text().strip() == (revised / "report.html").as_uri()
    terminal.press("q")
    terminal.until_gone()
