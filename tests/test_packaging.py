"""The wheel carries everything the program needs away from a checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
        timeout=900,
    )
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.parametrize(
    "name",
    [
        "benchdesign/py.typed",
        "benchdesign/templates/report.html.j2",
        "benchdesign/templates/report.md.j2",
        "benchdesign/examples/benchmark.jsonl",
        "benchdesign/examples/pool.jsonl",
        "benchdesign/tui/app.tcss",
        "benchdesign/builtin/dictionary.json",
        "benchdesign/builtin/concepts.parquet",
        "benchdesign/builtin/terms/sae_weights.safetensors",
        "benchdesign/builtin/themes/sae_weights.safetensors",
    ],
)
def test_wheel_holds(wheel: Path, name: str) -> None:
    assert name in zipfile.ZipFile(wheel).namelist()


def test_report_templates_are_found_from_an_unpacked_wheel_elsewhere(
    wheel: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    output = subprocess.run(
        [
            sys.executable,
            "-c",
            "import benchdesign.report.render as report; print(report.__file__);"
            "print((report.template_folder() / 'report.html.j2').is_file())",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert output == [str(tmp_path / "site" / "benchdesign" / "report" / "render.py"), "True"]
