"""Export, key 9: what will I publish, and is it defensible?"""

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

from benchdesign.errors import BenchdesignError, OutputExistsError
from benchdesign.regular import expanded
from benchdesign.text import display
from benchdesign.tui.jobs import rewritten_map
from benchdesign.tui.keys import SCREEN_KEYS, bindings
from benchdesign.tui.model import Session
from benchdesign.tui.page_parts import marked_line, page_lines
from benchdesign.tui.publishing import counted_items, publish_checks
from benchdesign.tui.screens.base import BaseScreen
from benchdesign.tui.screens.dialogs import AskChoice, ReadText
from benchdesign.tui.widgets.detail import Line, heading
from benchdesign.tui.widgets.evidence import literal

if TYPE_CHECKING:
    from benchdesign.revision import Revision
    from benchdesign.tui.memory import UiState

__all__ = ["ExportScreen", "export_folders", "open_report"]

_WHAT = {
    "revision.json": "manifest and decisions",
    "concepts.parquet": "concepts, before and after",
    "report.html": "one file, opens offline",
    "report.md": "for a diff",
}


def default_folder(session: Session) -> Path:
    """Return where the revision goes unless another folder is typed."""
    stem = Path(session.workspace.benchmark_file.path).name.partition(".")[0] or session.title
    return session.folder.parent / f"{stem}-revised"


def export_folders(ui: UiState, session: Session) -> tuple[Path, ...]:
    """Return where an export may be: where one was written to from here, and the usual place."""
    written = str(ui.of_screen("export").get("written", ""))
    usual = default_folder(session)
    return (Path(written), usual) if written and Path(written) != usual else (usual,)


def open_report(screen: BaseScreen) -> None:
    """Open the last report in a browser, or show it here where there is no browser."""
    session = screen.session
    if session is None:
        return
    folder = Path(str(screen.owner.ui.of_screen("export").get("written", "")))
    report = folder / "report.html"
    if not report.is_file():
        screen.say("No report yet; 9 and ^e write one.")
        return
    if webbrowser.open(report.resolve().as_uri()):
        screen.say(f"Opened {report}")
        return
    screen.say(f"No browser found; the report is at {report}")
    try:
        text = report.with_suffix(".md").read_text("utf-8", errors="replace")
    except OSError:
        return
    screen.app.push_screen(ReadText(f"The report, as {report.with_suffix('.md').name}", text))


class ExportScreen(BaseScreen):
    """What is written, whether it holds, and the command that repeats it."""

    MODE = "export"
    BINDINGS: ClassVar[list[BindingType]] = bindings(*SCREEN_KEYS["export"])

    plan: Revision | None = None
    plan_problem = ""
    _folder = ""

    def compose_body(self) -> ComposeResult:
        """Lay out folder, files and checks."""
        with Horizontal(classes="form-row"):
            yield Label("Folder")
            yield Input(id="folder")
        with VerticalScroll(id="export-page", can_focus=True):
            with Horizontal(classes="columns"):
                yield Line(id="left", classes="left")
                yield Line(id="right", classes="right")
            yield Line(id="below", classes="page")

    def refresh_session(self) -> None:
        """Plan the revision anew."""
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
        """Work out the revision without writing it."""
        from benchdesign.revision import Choice, plan_revision

        session = self.session
        if session is None or session.analysis is None:
            return
        worker = get_current_worker()
        plan, problem = None, ""
        choice = Choice.from_decisions(session.log)
        try:
            known = rewritten_map(session.workspace, session.analysis, choice, may_wait=False)
            plan = plan_revision(session.analysis, choice, rewritten=known)
        except BenchdesignError as error:
            problem = str(error)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._planned, plan, problem)

    def _planned(self, plan: Revision | None, problem: str) -> None:
        self.plan, self.plan_problem = plan, problem
        if self.is_mounted:
            self.draw_page()

    def draw_page(self) -> None:
        """Draw files, checks and the comparison."""
        session = self.session
        if session is None or session.analysis is None:
            return
        files, checks = self._files(session), self._checks(session)
        below = self._below(session)
        # What speaks against publishing comes first where only one fits.
        left, right = (checks, Content("")) if self.is_narrow else (files, checks)
        self.query_one("#left", Line).show(left)
        self.query_one("#right", Line).show(right)
        if self.is_narrow:
            below = Content("\n").join([files, below])
        self.query_one("#below", Line).show(below)

    @property
    def _space(self) -> list[Content]:
        """An empty line where there is room for one."""
        return [Content("")] if self.app.size.height >= 30 else []

    def _files(self, session: Session) -> Content:
        from benchdesign.revision import planned_files

        analysis = session.analysis
        assert analysis is not None
        own = analysis.benchmark.source.format
        kind = f"as {self.format}" if self.format else f"in the benchmark's own form, {own}"
        lines = [
            Content.assemble(heading("What is written"), (f"   {kind}", "$foreground-muted")),
            *self._space,
        ]
        for name in planned_files(analysis.benchmark, format=self.format):
            what = _WHAT.get(name, "")
            if not what:
                what = f"{self.plan.n_items:,} items" if self.plan else "the revised benchmark"
            lines.append(
                Content.assemble(
                    "  ", literal(f"{name:<28}", "bold"), literal(what, "$foreground-muted")
                )
            )
        n = len(analysis.benchmark)
        n_out, n_new = len(session.log.dropped), len(session.log.accepted)
        lines += [
            *self._space,
            Content.assemble(
                f"  Items   {n:,}  - {n_out} dropped  + {n_new} accepted  = ",
                (f"{n - n_out + n_new:,}", "bold"),
            ),
        ]
        return Content("\n").join(lines)

    def _checks(self, session: Session) -> Content:
        marks = self.owner.marks
        checks = publish_checks(session, self.plan, problem=self.plan_problem)
        width = self.app.size.width if self.is_narrow else self.app.size.width // 2
        return page_lines(
            [
                heading("Before you publish"),
                *self._space,
                *(marked_line(state, literal(text), marks=marks) for state, text in checks),
            ],
            width=width - 4,
        )

    def _below(self, session: Session) -> Content:
        lines = [*self._space, heading("What it changes")]
        if self.plan is None:
            lines.append(literal("  working it out ..." if not self.plan_problem else "  unknown"))
        else:
            before, after = self.plan.figures_before, self.plan.figures_after
            gaps = before.n_missing + before.n_under
            arrow = self.owner.marks.arrow
            lines += [
                Content(
                    f"  well covered    {_percent(before.covered_share)} {arrow} "
                    f"{_percent(after.covered_share)} of the concepts that can be judged"
                ),
                Content(f"  gaps closed     {self.plan.n_gaps_closed} of {gaps}, by the rule"),
                Content(f"  missing         {before.n_missing} {arrow} {after.n_missing}"),
                *self._named_gaps(session, self.plan),
            ]
        lines += [
            Content(""),
            heading("The command that writes the same files (y copies it)"),
            literal(f"  {self._command(session)}"),
            *self._space,
            literal(
                "Nothing is written until ^e. Nothing is overwritten unasked.", "$foreground-muted"
            ),
        ]
        return Content("\n").join(lines)

    def _command(self, session: Session) -> str:
        folder = self.query_one("#folder", Input).value
        words = ["benchdesign", "export", str(session.folder), "--out", folder]
        return shlex.join([*words, *(["--format", self.format] if self.format else [])])

    @property
    def format(self) -> str | None:
        """The format chosen; None for the benchmark's own."""
        from benchdesign.formats.exports import EXPORTS

        chosen = self.owner.ui.of_screen("export").get("format")
        return chosen if chosen in EXPORTS else None

    def action_choose(self) -> None:
        """Choose the format of the revised benchmark."""
        from benchdesign.formats.exports import EXPORTS

        session = self.session
        if session is None or session.analysis is None:
            return
        own = session.analysis.benchmark.source.format
        choices = [("own", f"the benchmark's own ({own}): what is kept stays as it is")]
        choices += [(one, one) for one in EXPORTS if one != own]

        def take(choice: str | None) -> None:
            if choice is not None:
                state = self.owner.ui.of_screen("export")
                state["format"] = None if choice == "own" else choice
                self.owner.save_ui()
                self.draw_page()

        self.app.push_screen(AskChoice("Write the revised benchmark as", choices), take)

    def _named_gaps(self, session: Session, plan: Revision) -> list[Content]:
        """Name the first gaps that are closed, and the worst that stay."""
        assert session.analysis is not None
        still, label = plan.gaps_after.is_gap, session.analysis.dictionary.label
        ids = session.analysis.gaps.ranked().tolist()
        width = self.app.size.width - 24
        lines = []
        for word, chosen in (
            ("closes", [one for one in ids if not still[one]]),
            ("leaves", [one for one in ids if still[one]]),
        ):
            if chosen:
                names = display("; ".join(label(one) for one in chosen[:8]), width=width)
                lines.append(Content.assemble(f"  {word:<16}", literal(names)))
        return [*lines, literal("                  p lists them all", "$foreground-muted")]

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the command with the folder typed."""
        self.draw_page()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the keys back to the page."""
        self.set_focus(self.query_one("#export-page"))

    def action_back(self) -> None:
        """Give the keys back to the page."""
        self.set_focus(self.query_one("#export-page"))

    def action_export(self) -> None:
        """Write the revision."""
        self._write(force=False)

    def _write(self, *, force: bool) -> None:
        folder = self.query_one("#folder", Input).value.strip()
        if not folder:
            self.say("Give a folder to write into.", is_error=True)
        elif self.session is not None and self.session.analysis is not None:
            n_unread = 0 if self.plan is None else self.plan.n_unread
            self.say(
                f"Mapping {counted_items(n_unread, 'edited')}, then writing ..."
                if n_unread
                else "Writing ..."
            )
            self.write_files(expanded(folder), force=force)

    @work(thread=True, exclusive=True, group="export", exit_on_error=False)
    def write_files(self, folder: Path, *, force: bool) -> None:
        """Write every file, or none."""
        from benchdesign.revision import Choice, write_revision

        session = self.session
        if session is None or session.analysis is None:
            return
        choice = Choice.from_decisions(session.log)
        try:
            known = rewritten_map(session.workspace, session.analysis, choice, may_wait=True)
            revision = write_revision(
                session.analysis,
                folder,
                choice=choice,
                rewritten=known,
                format=self.format,
                force=force,
            )
        except OutputExistsError as problem:
            self.app.call_from_thread(self._ask_overwrite, str(problem))
        except BenchdesignError as problem:
            self.app.call_from_thread(self.say, str(problem), is_error=True)
        else:
            self.app.call_from_thread(self._written, folder, revision)

    def _written(self, folder: Path, revision: Revision) -> None:
        self.owner.ui.of_screen("export")["written"] = str(folder.absolute())
        # Overview tells of it; nothing that is shown here is different.
        self.owner.version += 1
        self.seen_version = self.owner.version
        self.say(f"Wrote {len(revision.files)} files to {folder}. o opens the report.")

    def _ask_overwrite(self, problem: str) -> None:
        def take(answer: str | None) -> None:
            if answer == "replace":
                self._write(force=True)
            else:
                self.say("Nothing written.")

        self.app.push_screen(
            AskChoice(
                "These files exist already",
                [("keep", "keep them"), ("replace", "replace them; this cannot be undone")],
                text=problem.partition(". ")[0],
            ),
            take,
        )

    def action_preview(self) -> None:
        """List the gaps that the revision closes and those it leaves."""
        session, plan = self.session, self.plan
        if session is None or session.analysis is None or plan is None:
            self.say("The revision is still being worked out.")
            return
        still = plan.gaps_after.is_gap
        label = session.analysis.dictionary.label
        ids = session.analysis.gaps.ranked().tolist()
        lines = [(f"c{one}", f"closed  {label(one)}") for one in ids if not still[one]]
        lines += [(f"o{one}", f"open    {label(one)}") for one in ids if still[one]]
        title = f"Of {len(ids)} gaps the revision closes {plan.n_gaps_closed}"
        self.app.push_screen(AskChoice(title, lines or [("none", "no gaps")]))

    def action_open_outside(self) -> None:
        """Open the last report."""
        open_report(self)

    def action_copy(self) -> None:
        """Copy the command."""
        if self.session is not None:
            self.app.copy_to_clipboard(self._command(self.session))
            self.say("Copied the command.")


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f} %"
