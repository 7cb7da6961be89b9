"""The Export screen (key 9): what will I publish, and is it defensible?"""

from __future__ import annotations

import shlex
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Label
from textual.worker import get_current_worker

from benchdesign.benchmarks.formats.export_formats import EXPORTS
from benchdesign.errors import BenchdesignError, OutputExistsError
from benchdesign.foundation.number_words import plural
from benchdesign.foundation.paths import expand_home
from benchdesign.foundation.text import display
from benchdesign.pipeline.write_revision import write_revision
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import plan_revision
from benchdesign.tui.dialogs.dialogs import AskChoice, TextDialog
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.pages.export_page import ExportPage, gap_names
from benchdesign.tui.screens.base_screen import BaseScreen
from benchdesign.tui.session.background_jobs import edited_items_map
from benchdesign.tui.session.session import Session
from benchdesign.tui.widgets.detail import Line

if TYPE_CHECKING:
    from benchdesign.revision.plan import Revision
    from benchdesign.tui.session.ui_state import UiState

__all__ = ["ExportScreen", "export_folders", "open_report"]


def default_folder(session: Session) -> Path:
    """Return the default output folder of the revision."""
    stem = Path(session.workspace.benchmark_file.path).name.partition(".")[0] or session.title
    return session.folder.parent / f"{stem}-revised"


def export_folders(ui: UiState, session: Session) -> tuple[Path, ...]:
    """Return folders that may hold an export: the last one written, and the default."""
    written = str(ui.screen_state("export").get("written", ""))
    default = default_folder(session)
    return (Path(written), default) if written and Path(written) != default else (default,)


def open_report(screen: BaseScreen) -> None:
    """Open the last report in a browser; show it in the terminal if there is no browser."""
    session = screen.session
    if session is None:
        return
    folder = Path(str(screen.workspaces.ui.screen_state("export").get("written", "")))
    report = folder / "report.html"
    if not report.is_file():
        screen.say("No report yet. Press 9, then ^e to export.")
        return
    if webbrowser.open(report.resolve().as_uri()):
        screen.say(f"Opened {report}")
        return
    screen.say(f"No browser found; the report is at {report}")
    try:
        text = report.with_suffix(".md").read_text("utf-8", errors="replace")
    except OSError:
        return
    screen.app.push_screen(TextDialog(f"Report: {report.with_suffix('.md').name}", text))


class ExportScreen(BaseScreen):
    """The files to write, the checks, and the command that does the same."""

    MODE = "export"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["export"])

    plan: Revision | None = None
    plan_problem = ""
    _folder = ""

    def compose_body(self) -> ComposeResult:
        """Compose the folder input, the files and the checks."""
        with Horizontal(classes="form-row"):
            yield Label("Folder")
            yield Input(id="folder")
        with VerticalScroll(id="export-page", can_focus=True):
            with Horizontal(classes="columns"):
                yield Line(id="left", classes="left")
                yield Line(id="right", classes="right")
            yield Line(id="below", classes="page")

    def refresh_session(self) -> None:
        """Plan the revision again."""
        session = self.session
        assert session is not None
        field = self.query_one("#folder", Input)
        if not field.value or self._folder != str(session.folder):
            self._folder = str(session.folder)
            field.value = str(default_folder(session))
        self.plan = None
        self.plan_problem = ""
        self.draw_page()
        self.make_plan()
        self.set_focus(self.query_one("#export-page"))

    @work(thread=True, exclusive=True, group="plan", exit_on_error=False)
    def make_plan(self) -> None:
        """Plan the revision without writing it."""
        session = self.session
        if session is None or session.analysis is None:
            return
        worker = get_current_worker()
        plan, problem = None, ""
        choice = Choice.from_decisions(session.log)
        try:
            edited_map = edited_items_map(
                session.workspace, session.analysis, choice, may_wait=False
            )
            plan = plan_revision(session.analysis, choice, edited_map=edited_map)
        except BenchdesignError as error:
            problem = str(error)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show_plan, plan, problem)

    def _show_plan(self, plan: Revision | None, problem: str) -> None:
        self.plan, self.plan_problem = plan, problem
        if self.is_mounted:
            self.draw_page()

    def draw_page(self) -> None:
        """Draw the files, the checks and the comparison."""
        session = self.session
        if session is None or session.analysis is None:
            return
        page = ExportPage(
            session,
            self.marks,
            screen_width=self.app.size.width,
            screen_height=self.app.size.height,
            is_narrow=self.is_narrow,
            format=self.format,
            plan=self.plan,
            problem=self.plan_problem,
        )
        files, checks = page.files(), page.checks()
        below = page.changes(self._command(session))
        # On a narrow screen the checks come first.
        left, right = (checks, Content("")) if self.is_narrow else (files, checks)
        self.query_one("#left", Line).show(left)
        self.query_one("#right", Line).show(right)
        if self.is_narrow:
            below = Content("\n").join([files, below])
        self.query_one("#below", Line).show(below)

    def _command(self, session: Session) -> str:
        folder = self.query_one("#folder", Input).value
        arguments = ["benchdesign", "export", str(session.folder), "--out", folder]
        return shlex.join([*arguments, *(["--format", self.format] if self.format else [])])

    @property
    def format(self) -> str | None:
        """The chosen format; None for the benchmark's own."""
        name = self.workspaces.ui.screen_state("export").get("format")
        return name if name in EXPORTS else None

    def action_choose(self) -> None:
        """Choose the format of the revised benchmark."""
        session = self.session
        if session is None or session.analysis is None:
            return
        own = session.analysis.benchmark.source.format
        choices = [("own", f"the benchmark's own format ({own}); kept items stay unchanged")]
        choices += [(name, name) for name in EXPORTS if name != own]

        def on_answer(choice: str | None) -> None:
            if choice is not None:
                state = self.workspaces.ui.screen_state("export")
                state["format"] = None if choice == "own" else choice
                self.workspaces.save_ui()
                self.draw_page()

        self.app.push_screen(AskChoice("Write the revised benchmark as", choices), on_answer)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Update the command with the typed folder."""
        self.draw_page()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Move focus to the page."""
        self.set_focus(self.query_one("#export-page"))

    def action_back(self) -> None:
        """Move focus to the page."""
        self.set_focus(self.query_one("#export-page"))

    def action_export(self) -> None:
        """Write the revision."""
        self._write(force=False)

    def _write(self, *, force: bool) -> None:
        folder = self.query_one("#folder", Input).value.strip()
        if not folder:
            self.say("Enter an output folder.", is_error=True)
        elif self.session is not None and self.session.analysis is not None:
            n_unread = 0 if self.plan is None else self.plan.n_unread
            self.say(
                f"Mapping {plural(n_unread, 'edited item')}, then writing ..."
                if n_unread
                else "Writing ..."
            )
            self.write_files(expand_home(folder), force=force)

    @work(thread=True, exclusive=True, group="export", exit_on_error=False)
    def write_files(self, folder: Path, *, force: bool) -> None:
        """Write all files, or none if one fails."""
        session = self.session
        if session is None or session.analysis is None:
            return
        choice = Choice.from_decisions(session.log)
        try:
            edited_map = edited_items_map(
                session.workspace, session.analysis, choice, may_wait=True
            )
            revision = write_revision(
                session.analysis,
                folder,
                choice=choice,
                edited_map=edited_map,
                format=self.format,
                force=force,
            )
        except OutputExistsError as error:
            self.app.call_from_thread(self._ask_overwrite, str(error))
        except BenchdesignError as error:
            self.app.call_from_thread(self.say, str(error), is_error=True)
        else:
            self.app.call_from_thread(self._after_write, folder, revision)

    def _after_write(self, folder: Path, revision: Revision) -> None:
        self.workspaces.ui.screen_state("export")["written"] = str(folder.absolute())
        # Overview must redraw; this screen shows nothing that changed.
        self.workspaces.version += 1
        self.seen_version = self.workspaces.version
        self.say(f"Wrote {len(revision.files)} files to {folder}. o opens the report.")

    def _ask_overwrite(self, problem: str) -> None:
        def on_answer(answer: str | None) -> None:
            if answer == "replace":
                self._write(force=True)
            else:
                self.say("Nothing written.")

        self.app.push_screen(
            AskChoice(
                "These files already exist",
                [("keep", "keep them"), ("replace", "overwrite them (cannot be undone)")],
                text=problem.partition(". ")[0],
            ),
            on_answer,
        )

    def action_preview(self) -> None:
        """List the gaps that the revision closes and those it leaves open."""
        session, plan = self.session, self.plan
        if session is None or session.analysis is None or plan is None:
            self.say("The revision is still being computed.")
            return
        groups, (closed, left) = session.analysis.groups, gap_names(session.analysis, plan)
        lines = [(f"c{place}", f"closed  {display(name)}") for place, name in enumerate(closed)]
        lines += [(f"o{place}", f"open    {display(name)}") for place, name in enumerate(left)]
        n_gaps, n_closed, unit = len(closed) + len(left), plan.n_gaps_closed, "gaps"
        if groups is not None:
            unit = "lacking groups" if groups.gaps else "lacking concepts"
            n_closed = len(closed) if groups.gaps else n_closed
        title = f"The revision closes {n_closed} of {n_gaps} {unit}"
        self.app.push_screen(AskChoice(title, lines or [("none", "No gaps.")]))

    def action_open_outside(self) -> None:
        """Open the last report."""
        open_report(self)

    def action_copy(self) -> None:
        """Copy the command."""
        if self.session is not None:
            self.app.copy_to_clipboard(self._command(self.session))
            self.say("Command copied.")
