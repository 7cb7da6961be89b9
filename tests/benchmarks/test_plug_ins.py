"""Formats that an installed package adds; the plug-in is the example of docs/formats.md."""

from __future__ import annotations

import gzip
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import benchdesign
from benchdesign.benchmarks.formats import plug_ins
from benchdesign.benchmarks.formats.plug_ins import load_plug_ins
from benchdesign.benchmarks.load import load_benchmark
from benchdesign.benchmarks.record_builder import AddedItem
from benchdesign.benchmarks.write import write_benchmark
from benchdesign.cli import run_command
from benchdesign.errors import FormatError, PackagingError
from tests.benchmarks.builders import QUIZ, write_jsonl
from tests.keywords import use_keywords

DOCS = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)[0]
ENTRY = re.findall(r'^quiz = "(.*)"$', DOCS, re.MULTILINE)[0]
SUMS = "".join(f"What is {at} plus {at}, please? = {2 * at}\n" for at in range(12))

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one plug-in on the path."""
    modules = set(sys.modules)

    def put(module: str = EXAMPLE, entry: str = ENTRY, *, name: str = "quiz") -> Path:
        folder = tmp_path / f"site-{name}"
        info = folder / f"{name}_format-0.1.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}_format.py").write_text(module, "utf-8")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}-format\nVersion: 0.1\n"
        )
        (info / "entry_points.txt").write_text(f"[{plug_ins.GROUP}]\n{name} = {entry}\n")
        monkeypatch.syspath_prepend(str(folder))
        load_plug_ins.cache_clear()
        return folder

    yield put
    load_plug_ins.cache_clear()
    for added in {module for module in sys.modules if module.endswith("_format")} - modules:
        del sys.modules[added]


def write_text(path: Path, text: str = SUMS) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_short() -> None:
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 10


def test_a_plug_in_reads_and_writes_its_files(install: Install, tmp_path: Path) -> None:
    install()
    benchmark = load_benchmark(write_text(tmp_path / "sums.quiz"))
    assert (benchmark.name, benchmark.source.format, benchmark.source.suffix) == (
        *("sums", "quiz", ".quiz"),
    )
    assert (benchmark.items[3].prompt, benchmark.items[3].answer) == (
        *("What is 3 plus 3, please?", "6"),
    )
    pool = load_benchmark(write_jsonl(tmp_path / "pool.jsonl", QUIZ))
    added = [AddedItem(pool.items[1], pool.record(pool.items[1]), pool)]
    out = tmp_path / "revised.quiz"
    write_benchmark(benchmark, out, keep=range(1, 12), added=added)
    revised = load_benchmark(out)
    assert [item.prompt for item in revised][:11] == [item.prompt for item in benchmark][1:]
    assert out.read_text("utf-8").startswith(SUMS.partition("\n")[2])
    assert revised.items[11].answer == "2"
    assert len(revised) == 12


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_plug_in_reads_and_writes_compressed_files_in_any_encoding(
    install: Install, tmp_path: Path, encoding: str
) -> None:
    install()
    path = tmp_path / "sums.quiz.gz"
    path.write_bytes(gzip.compress(SUMS.encode(encoding)))
    benchmark = load_benchmark(path)
    assert (benchmark.name, benchmark.source.suffix) == ("sums", ".quiz.gz")
    write_benchmark(benchmark, tmp_path / "out.quiz.gz", keep=range(12))
    written = gzip.decompress((tmp_path / "out.quiz.gz").read_bytes())
    assert written.decode(encoding) == SUMS


def test_a_source_of_a_plug_in_survives_pickling(install: Install, tmp_path: Path) -> None:
    install()
    benchmark = load_benchmark(write_text(tmp_path / "sums.quiz"))
    again = pickle.loads(pickle.dumps(benchmark))
    assert again.record(again.items[2]) == benchmark.record(benchmark.items[2])


def test_a_run_reads_and_writes_a_format_of_a_plug_in(
    install: Install,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install()
    use_keywords(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHDESIGN_CONFIG", str(tmp_path / "config.toml"))
    for name, animals, n_items in (("my", "cat dog owl", 80), ("more", "cat dog owl fox", 160)):
        words = animals.split()
        write_text(
            tmp_path / f"{name}.quiz",
            "".join(
                f"What does {words[at % len(words)]} number {at} of {name} eat? = fish {at}\n"
                for at in range(n_items)
            ),
        )
    arguments = ("run", "my.quiz", "--pool", "more.quiz", "--add", "20", "-q")
    assert run_command(arguments) == 0, capsys.readouterr().err
    before = (tmp_path / "my.quiz").read_text("utf-8")
    after = (tmp_path / "my-revised" / "my.revised.quiz").read_text("utf-8")
    assert after.startswith(before)
    added = after.removeprefix(before).splitlines()
    assert len(added) == 20
    assert all(" fox " in line and " = fish " in line for line in added)


def test_files_in_a_folder_count_if_no_other_holds_data(install: Install, tmp_path: Path) -> None:
    install()
    folder = tmp_path / "set"
    folder.mkdir()
    write_text(folder / "part-0.quiz")
    write_text(folder / "part-1.quiz", SUMS.replace("plus", "and"))
    benchmark = load_benchmark(folder)
    assert len(benchmark) == 24
    assert {item.category for item in benchmark} == {None}
    write_benchmark(benchmark, tmp_path / "out", keep=range(1, 24))
    assert len(load_benchmark(tmp_path / "out")) == 23
    write_jsonl(folder / "a.jsonl", QUIZ)
    assert len(load_benchmark(folder)) == len(QUIZ)


def test_a_file_that_the_plug_in_cannot_parse_is_named(install: Install, tmp_path: Path) -> None:
    install()
    path = write_text(tmp_path / "sums.quiz", "a line without an answer\n")
    with pytest.raises(FormatError, match=r"sums\.quiz: not a readable quiz file \(ValueError:"):
        load_benchmark(path)


def test_records_that_the_plug_in_cannot_write_are_an_error(
    install: Install, tmp_path: Path
) -> None:
    install(EXAMPLE.replace("record['answer']", "record['missing']"))
    benchmark = load_benchmark(write_text(tmp_path / "sums.quiz"))
    with pytest.raises(FormatError, match="cannot be written as quiz"):
        write_benchmark(benchmark, tmp_path / "out.quiz", keep=[0])
    assert not (tmp_path / "out.quiz").exists()


def test_a_split_that_the_file_does_not_name_is_an_error(install: Install, tmp_path: Path) -> None:
    install()
    with pytest.raises(FormatError, match="one set without splits"):
        load_benchmark(write_text(tmp_path / "sums.quiz"), split="test")
    assert len(load_benchmark(write_text(tmp_path / "test.quiz"), split="test")) == 12


def test_built_in_formats_load_no_plug_in(install: Install, tmp_path: Path) -> None:
    install("raise RuntimeError('loaded')\n")
    assert len(load_benchmark(write_jsonl(tmp_path / "a.jsonl", QUIZ))) == len(QUIZ)
    (tmp_path / "b").write_text("question,answer\nWho is it?,Bo\nWhy is it?,Al\n")
    assert len(load_benchmark(tmp_path / "b")) == 2


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("import no_such_module\n", "cannot be loaded (ModuleNotFoundError: No module named"),
        ("raise RuntimeError('two\\nlines')\n", "cannot be loaded (RuntimeError: two lines)"),
        ("quizz = 1\n", "cannot be loaded (AttributeError:"),
        ("quiz = 1\n", "is not an object with the members of FormatReader"),
        (
            EXAMPLE.replace("quiz = WholeFileFormat(", "quiz = WholeFileFormat; _ = ("),
            "is not an object with the members of FormatReader",
        ),
        (EXAMPLE.replace('".quiz"', '".json"'), "claims the suffix '.json', which a built-in"),
        (EXAMPLE.replace('".quiz"', '".gz"'), "claims the suffix '.gz', which a built-in"),
        (EXAMPLE.replace('".quiz"', '""'), "claims the suffix '', which a built-in"),
        (EXAMPLE.replace('".quiz"', '"quiz"'), "claims 'quiz', which is not a suffix"),
        (EXAMPLE.replace('".quiz"', '".Quiz"'), "claims '.Quiz', which is not a suffix"),
        (EXAMPLE.replace('"quiz"', '"csv"'), "has the name of another format ('csv')"),
    ],
)
def test_a_broken_plug_in_is_named_with_its_package(
    install: Install, tmp_path: Path, module: str, problem: str
) -> None:
    install(module)
    with pytest.raises(PackagingError) as raised:
        load_benchmark(write_text(tmp_path / "sums.quiz"))
    message = str(raised.value)
    assert message.startswith("Package quiz-format 0.1: its format 'quiz' ")
    assert problem in message
    assert message.endswith("Update or uninstall the package.")


def test_two_plug_ins_share_a_suffix_but_no_name(install: Install, tmp_path: Path) -> None:
    install()
    install(EXAMPLE.replace('"quiz"', '"exam"'), "exam_format:quiz", name="exam")
    assert load_benchmark(write_text(tmp_path / "a.quiz")).source.format == "exam"
    install(EXAMPLE, "copy_format:quiz", name="copy")
    with pytest.raises(PackagingError, match=r"quiz-format 0\.1: .* name of another format"):
        load_benchmark(tmp_path / "a.quiz")


def test_plug_ins_are_loaded_once(install: Install, tmp_path: Path) -> None:
    install(f"import benchdesign\n{EXAMPLE}\nbenchdesign.n_loaded = benchdesign.n_loaded + 1\n")
    path = write_text(tmp_path / "sums.quiz")
    vars(benchdesign)["n_loaded"] = 0
    try:
        for _ in range(3):
            load_benchmark(path)
        assert vars(benchdesign)["n_loaded"] == 1
    finally:
        del vars(benchdesign)["n_loaded"]


def test_without_a_plug_in_the_suffix_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="unsupported file format"):
        load_benchmark(write_text(tmp_path / "sums.quiz"))
