"""Making a workspace from a benchmark file, by keys alone."""

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from benchdesign.benchmarks.items import Benchmark
from benchdesign.tui.app import BenchdesignApp
from benchdesign.tui.dialogs.new_workspace import NewWorkspaceForm
from benchdesign.tui.pages.new_workspace_page import free_folder
from benchdesign.tui.session.controllers import LaunchOptions
from benchdesign.tui.widgets.detail import Line
from tests.tui.conftest import Bench, FakeJob, until
from tests.tui.test_screens import visible_text

SIZE = (120, 44)


def app_on(
    bench: Bench, benchmark: str = "animals.jsonl", pool: str = "pool.jsonl", *, chat: bool = False
) -> BenchdesignApp:
    target, pool_file = str(bench.folder / benchmark), str(bench.folder / pool) if pool else ""
    return bench.app(LaunchOptions(target, pool=pool_file, chat=chat))


async def form_of(app: BenchdesignApp, pilot: Pilot[None]) -> NewWorkspaceForm:
    await until(pilot, lambda: bool(app.screen.query(NewWorkspaceForm)))
    return app.screen.query_one(NewWorkspaceForm)


def checks_of(form: NewWorkspaceForm) -> str:
    """Return the checks of the form as one line, wherever they are wrapped."""
    return " ".join(str(form.query_one("#checks", Line).content).split())


async def test_fields_are_shown_with_what_the_first_row_has_in_them(bench: Bench) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "every row has a question" in visible_text(app))
        await until(pilot, lambda: "160 rows" in visible_text(app))
        text = visible_text(app)
        assert "question  (detected)" in text
        assert "= What does cat number 0 of b eat?" in text
        assert "80 rows" in text
        assert "A. fish" in text and "key  A  fish" in text
        assert not (bench.folder / "animals-workspace").exists()


async def test_a_field_set_by_hand_is_read_at_once_and_kept(
    bench: Bench, fake_job: FakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    app = app_on(bench, chat=True)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        await until(pilot, lambda: "every row has a question" in visible_text(app))
        form.query_one("#field-prompt", Input).focus()
        await pilot.press(*"cat")
        # The rest of the column's name is offered; the arrow takes it.
        await pilot.press("right")
        await until(pilot, lambda: form.value("field-prompt") == "category")
        await until(pilot, lambda: "key  A  fish" in visible_text(app))

        def is_read_so() -> bool:
            loaded = form.input_files.benchmark
            return isinstance(loaded, Benchmark) and loaded.items[0].prompt == "cat"

        await until(pilot, is_read_so)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.session is not None)
        assert app.session.workspace.settings.fields == {"prompt": "category"}
        assert app.session.workspace.settings.chat
        assert app.jobs.job is not None


async def test_a_field_that_is_not_there_is_said_and_nothing_is_made(bench: Bench) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        await until(pilot, lambda: "every row has a question" in visible_text(app))
        form.query_one("#field-prompt", Input).value = "nothing"
        await until(pilot, lambda: isinstance(form.input_files.benchmark, str))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "nothing" in app.messages.text and app.messages.is_error)
        assert app.session is None


async def test_nothing_is_made_of_what_was_typed_a_moment_ago_and_not_read_yet(
    bench: Bench, fake_job: FakeJob
) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        await until(pilot, lambda: "every row has a question" in visible_text(app))
        form.query_one("#field-prompt", Input).value = "nothing"
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.messages.is_error)
        assert app.session is None and "no field 'nothing'" in app.messages.text


async def test_a_missing_file_is_said_where_it_was_typed(bench: Bench) -> None:
    app = app_on(bench, benchmark="nobody.jsonl")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "no such file" in visible_text(app))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "no such file" in app.messages.text)
        assert app.session is None


async def test_paths_complete_while_they_are_typed(bench: Bench) -> None:
    app = bench.app(LaunchOptions())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+n")
        form = await form_of(app, pilot)
        box = form.query_one("#benchmark", Input)
        box.value = f"{bench.folder}/ani"
        box.cursor_position = len(box.value)
        await until(pilot, lambda: box._suggestion.endswith("animals.jsonl"))
        await pilot.press("right")
        assert box.value == str(bench.folder / "animals.jsonl")


async def test_model_dictionary_and_scope_go_into_the_workspace(
    bench: Bench, fake_job: FakeJob
) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        for name, value in (
            ("model", "hf:a/b"),
            ("dictionary", "sae-lens:r/s"),
            ("scope", "animals"),
            ("n-add", "7"),
            ("folder", str(bench.folder / "fresh")),
        ):
            form.query_one(f"#{name}", Input).value = value
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.session is not None)
        settings = json.loads((bench.folder / "fresh" / "workspace.json").read_text())["settings"]
        assert (settings["model"], settings["dictionary"]) == ("hf:a/b", "sae-lens:r/s")
        assert settings["scope"] == {"sentence": "animals"} and settings["n_add"] == 7


async def test_a_folder_that_is_in_use_is_refused(bench: Bench, fake_job: FakeJob) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        form.query_one("#folder", Input).value = str(bench.work)
        # A long path is wrapped inside a word, so spaces do not count.
        message = f"{bench.work} is already a workspace".replace(" ", "")
        await until(pilot, lambda: message in checks_of(form).replace(" ", ""))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: app.messages.is_error)
        assert app.session is None


def test_the_folder_suggested_is_not_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert free_folder("a/b.test.jsonl") == "b-workspace"
    (tmp_path / "b-workspace").mkdir()
    assert free_folder("a/b.test.jsonl") == "b-workspace-2"
    assert free_folder("hf:owner/name") == "name-workspace"


@pytest.mark.slow
async def test_what_was_known_of_a_file_goes_with_its_name(bench: Bench) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        await until(pilot, lambda: "jsonl · 160 rows" in visible_text(app))
        form.query_one("#pool", Input).value = "Qestion"
        await until(pilot, lambda: "Qestion: no such file" in visible_text(app))
        assert "160 rows" not in visible_text(app)
        form.query_one("#benchmark", Input).value = ""
        await until(pilot, lambda: "80 rows" not in visible_text(app))
        await until(pilot, lambda: "(detected)" not in visible_text(app))
        assert "= What does cat" not in visible_text(app)


async def test_a_number_of_items_that_is_none_is_said_at_once(bench: Bench) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        box = form.query_one("#n-add", Input)
        message = "Items to propose: must be a whole number; 0 for none."
        box.value = "xx"
        await until(pilot, lambda: message in checks_of(form))
        box.value = "30"
        await until(pilot, lambda: message not in checks_of(form))


async def test_a_dataset_of_the_hub_is_said_to_be_read_later(bench: Bench) -> None:
    app = app_on(bench)
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        form.query_one("#benchmark", Input).value = "hf:owner/name"
        line = "hf:owner/name: read from the hub when the workspace is made"
        await until(pilot, lambda: line in " ".join(checks_of(form).split()))
        assert "every row has a question" not in checks_of(form)


@pytest.mark.parametrize("size", [(120, 44), (80, 44)])
async def test_checks_are_wrapped_below_their_beginning(
    bench: Bench, size: tuple[int, int]
) -> None:
    path = bench.folder / "animals.jsonl"
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for record in records[:9]:
        record["id"] = "the very same identifier"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    app = app_on(bench)
    async with app.run_test(size=size) as pilot:
        form = await form_of(app, pilot)
        await until(pilot, lambda: bool(form.findings()))
        (message,) = form.findings()
        checks = " ".join(str(form.query_one("#checks", Line).render()).split())
        end = message.partition(": ")[2]
        assert len(message) > 60 and end in checks
        await until(pilot, lambda: end.split()[-1] in visible_text(app))


async def test_the_first_item_is_shown_with_its_passage_as_it_is_read(bench: Bench) -> None:
    records = [
        {
            "context": f"A passage of row {row}. " + "It goes on. " * 60,
            "question": f"Who ate number {row}?",
            "options": ["a fox", "an owl"],
            "answer": row % 2,
        }
        for row in range(20)
    ]
    path = bench.folder / "read.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    app = app_on(bench, benchmark="read.jsonl")
    async with app.run_test(size=SIZE) as pilot:
        form = await form_of(app, pilot)
        await until(pilot, lambda: isinstance(form.input_files.benchmark, Benchmark))
        assert isinstance(form.input_files.benchmark, Benchmark)
        assert form.input_files.benchmark.mapping.context == "context"
        await until(pilot, lambda: "A passage of row 0" in visible_text(app))
        preview = str(form.query_one("#first-item", Line).render())
        assert "Who ate number 0?\nA. a fox\nB. an owl" in preview and " ... " in preview
        assert preview.endswith("key  A  a fox")
