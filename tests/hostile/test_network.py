"""Nothing is asked of the network unless a hub or an endpoint was asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchdesign.benchmarks.example_data import example_folder
from tests.hostile.cases import lines

pytestmark = pytest.mark.process

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
    (folder / "blocked").mkdir(exist_ok=True)
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCKED)
    attempts = folder / "attempts"
    attempts.write_text("")
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
        timeout=900,
        check=False,
    )
    return done, attempts.read_text()


@pytest.fixture(scope="module")
def whole_job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A run on a few items of the example: its folder, what it printed and what it tried."""
    folder, examples = tmp_path_factory.mktemp("job"), example_folder()
    for name, n_items in (("benchmark", 24), ("pool", 48)):
        lines = (examples / f"{name}.jsonl").read_bytes().splitlines(keepends=True)[:n_items]
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines))
    ids = [json.loads(line)["id"] for line in (folder / "benchmark.jsonl").read_text().splitlines()]
    scores = "".join(f"{item_id},m,{place % 2}\n" for place, item_id in enumerate(ids))
    (folder / "results.csv").write_text(f"item,model,score\n{scores}")
    done, attempts = run_without_network(
        folder,
        *("run", "benchmark.jsonl", "--pool", "pool.jsonl", "--add", "4"),
        *("--out", "out", "--workspace", "workspace", "--json"),
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout, attempts


def test_whole_job_needs_no_network_and_tries_none(whole_job: tuple[Path, str, str]) -> None:
    folder, out, attempts = whole_job
    assert attempts == ""
    assert json.loads(out)["benchmark"]["n_items"] == 24
    assert (folder / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "benchmark.jsonl", "--pool", "pool.jsonl", "--baseline", "out/revision.json"),
        ("coverage", "benchmark.jsonl", "pool.jsonl", "--report", "suite"),
        ("models", "benchmark.jsonl", "--results", "results.csv", "--report", "models"),
        ("proposals", "workspace"),
        ("export", "workspace", "--out", "again"),
        ("dictionary", "info", "1"),
    ],
    ids=lambda case: case[0],
)
def test_other_commands_need_no_network_and_try_none(
    arguments: tuple[str, ...], whole_job: tuple[Path, str, str]
) -> None:
    done, attempts = run_without_network(whole_job[0], *arguments)
    assert done.returncode == 0, done.stderr
    assert attempts == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("coverage", "hf:someone/something"), "hf:someone/something"),
        (("coverage", "a.jsonl", "--dictionary", "someone/something"), "someone/something"),
    ],
)
def test_hub_that_cannot_be_reached_is_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines())
    done, attempts = run_without_network(tmp_path, *arguments, "--quiet")
    assert done.returncode == 2
    assert done.stderr.startswith("benchdesign: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert attempts
