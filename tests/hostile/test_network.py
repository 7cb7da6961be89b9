"""Nothing is asked of the network unless a hub or an endpoint was asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchdesign.shipped import example_folder
from tests.hostile.cases import lines

ROOT = Path(__file__).resolve().parents[2]
# Any look-up of a name and any connection is written down, then refused.
BLOCKED = """
import os, socket, sys

def refuse(name):
    def blocked(*arguments, **options):
        with open(os.environ["ATTEMPTS"], "a") as out:
            print(name, arguments[-1:], file=out)
        raise OSError(f"the network is cut off ({name})")
    return blocked

for name in ("connect", "connect_ex", "sendto", "bind"):
    setattr(socket.socket, name, refuse(name))
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse(name))

def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        with open(os.environ["ATTEMPTS"], "a") as out:
            print(event, arguments[-1:], file=out)

sys.addaudithook(audit)
"""


def cut_off() -> list[str]:
    """A command prefix that takes the network away, where this process may do that."""
    unshare = shutil.which("unshare")
    if unshare and not subprocess.run([unshare, "-n", "true"], capture_output=True).returncode:
        return [unshare, "-n"]
    return []


def run_without_network(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess, str]:  # type: ignore[type-arg]
    """Run a command in a fresh interpreter; returns what it said and what it tried."""
    (folder / "blocked").mkdir()
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCKED)
    attempts = folder / "attempts"
    attempts.touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [*cut_off(), sys.executable, "-m", "benchdesign", *arguments],
        cwd=folder,
        env={
            **kept,
            "PYTHONPATH": f"{folder / 'blocked'}{os.pathsep}{ROOT}",
            "ATTEMPTS": str(attempts),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "BENCHDESIGN_CONFIG": str(folder / "config.toml"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done, attempts.read_text()


def test_whole_job_needs_no_network_and_tries_none(tmp_path: Path) -> None:
    examples = example_folder()
    done, attempts = run_without_network(
        tmp_path,
        *("run", str(examples / "benchmark.jsonl"), "--limit", "24"),
        *("--pool", str(examples / "pool.jsonl"), "--pool-limit", "48", "--add", "4"),
        *("--out", str(tmp_path / "out"), "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert attempts == ""
    assert json.loads(done.stdout)["benchmark"]["n_items"] == 24
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("coverage", "hf:someone/something"), "hf:someone/something"),
        (("coverage", "a.jsonl", "--dictionary", "someone/something"), "someone/something"),
    ],
)
def test_hub_that_cannot_be_reached_is_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines())
    done, attempts = run_without_network(tmp_path, *arguments, "--quiet")
    assert done.returncode == 2
    assert done.stderr.startswith("benchdesign: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert attempts
