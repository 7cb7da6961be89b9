"""What a fresh interpreter has loaded after each first step."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

HEAVY = ("numpy", "torch", "textual", "scipy", "sklearn", "pyarrow", "transformers", "sae_lens")


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import benchdesign",
        "import benchdesign.cli",
        "import benchdesign.workspace.decision_log, benchdesign.workspace.workspace",
        "import benchdesign.foundation.preferences",
        "import benchdesign.benchmarks.items, benchdesign.concepts.dictionaries.dictionary",
        "import benchdesign.foundation.text, benchdesign.errors",
        "from benchdesign.cli import run_command; run_command(['--help'])",
        "from benchdesign.cli import run_command; run_command(['run', '--help'])",
        "from benchdesign.cli import run_command; run_command(['dictionary', '--help'])",
        "from benchdesign.cli import run_command; run_command(['config', 'show'])",
    ],
)
def test_first_steps_load_nothing_heavy(code: str) -> None:
    assert not loaded_after(code) & set(HEAVY)


def test_the_library_loads_no_model_and_no_interface() -> None:
    loaded = loaded_after("import benchdesign.pipeline.run, benchdesign.revision.plan")
    assert not loaded & {"torch", "textual", "transformers", "sae_lens", "sentence_transformers"}


def test_the_first_screen_loads_nothing_heavy() -> None:
    code = """
import asyncio, pathlib
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.session.ui_state import RecentList
app = BenchdesignApp(LaunchOptions(), recents=RecentList(pathlib.Path("/nonexistent/recent.json")))
async def main():
    async with app.run_test(size=(120, 36)):
        assert app.screen.query_one("#table").has_focus
asyncio.run(main())
"""
    assert not loaded_after(code) & ({*HEAVY, "jinja2"} - {"textual"})


def test_the_interface_loads_no_model() -> None:
    assert not loaded_after("import benchdesign.tui.app") & {"torch", "transformers", "sae_lens"}
