"""What leaves the program shows hostile text and does nothing with it: page, Markdown, terminal."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from benchdesign.benchmarks.items import Finding, Item
from benchdesign.cli import run_command
from benchdesign.report.collect_coverage import collect_report
from benchdesign.report.coverage_data import ReportData
from benchdesign.report.coverage_report import render_html, render_markdown
from benchdesign.revision.choice import Choice
from benchdesign.revision.plan import plan_revision
from benchdesign.workspace.analysis import Analysis
from tests.hostile.test_corpus import is_clean
from tests.hostile.texts import HOSTILE
from tests.keywords import use_keywords
from tests.report.test_coverage_report import analyse_hole

OWNED = "document.documentElement.setAttribute('data-owned','1')"
ADDRESS = "http://LISTENER"
PAYLOADS = (
    f"<script>{OWNED}</script>",
    f"<script src={ADDRESS}/a.js></script>",
    f"<ScRiPt/x>{OWNED}//</ScRiPt>",
    f'<img src={ADDRESS}/b.png onerror="{OWNED}">',
    f'"><img src=x onerror="{OWNED}">',
    f"'><svg onload={OWNED}>",
    f"</title><script>{OWNED}</script>",
    f"</style><script>{OWNED}</script>",
    f"</script><script>{OWNED}</script>",
    f"</svg></td></table><script>{OWNED}</script>",
    f"--><script>{OWNED}</script><!--",
    f"]]><script>{OWNED}</script>",
    f"<svg><animate onbegin={OWNED} attributeName=x dur=1s>",
    f"<details open ontoggle={OWNED}>x</details>",
    f"<input autofocus onfocus={OWNED}>",
    f"<body onload={OWNED}>",
    f"<iframe src={ADDRESS}/c></iframe>",
    f'<iframe srcdoc="<script>parent.{OWNED}</script>"></iframe>',
    f"<object data={ADDRESS}/d></object><embed src={ADDRESS}/e>",
    f"<link rel=stylesheet href={ADDRESS}/f.css><link rel=prefetch href={ADDRESS}/g>",
    f"<style>@import url({ADDRESS}/h.css); body{{background:url({ADDRESS}/i)}}</style>",
    f"<meta http-equiv=refresh content='0;url={ADDRESS}/j'>",
    f"<base href={ADDRESS}/>",
    f"<form action={ADDRESS}/k><button autofocus>x</button></form>",
    f"<video src={ADDRESS}/l autoplay></video><audio src={ADDRESS}/m autoplay></audio>",
    f'<a href="javascript:{OWNED}">x</a>',
    f"<a ping={ADDRESS}/n href=#>x</a>",
    f"[x](javascript:{OWNED}) ![y]({ADDRESS}/o.png) <{ADDRESS}/p>",
    f"[x]: {ADDRESS}/q 'y'\n\n[x] ![x]",
    f"{ADDRESS}/r www.example.org/s",
    "data:text/html,<script>1</script> vbscript:x",
    f"&lt;script&gt;{OWNED}&lt;/script&gt; &#60;script&#62; &quot;&gt;",
    f"\\u003cscript\\u003e{OWNED}\\u003c/script\\u003e \\x3cscript\\x3e",
    "{{ 7 * 7 }} {% raw %} ${7*7} <%= 7*7 %> #{7*7} [[7*7]] {{constructor.constructor('x')()}}",
    "| a | b |\n|---|---|\n| c | d | <td>",
    "# heading\n\n---\n\n```\ncode\n```\n> quote\n- list\n1. list\n    indented",
    "`code` ``x`` **bold** _it_ ~~no~~ <!-- comment --> <b>bold</b> &amp;",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200b \u2028 \u2029 \ufeff",
    "\x00\x1b[31mred\x1b]0;title\x07\x9b2J\x08\x7f \ud800",
)


def hostile_analysis(payloads: tuple[str, ...]) -> Analysis:
    """An analysis in which everything that comes from files holds payloads."""
    every = " ".join(payloads)
    analysis = analyse_hole(n_add=len(payloads), label="glacier")
    assert analysis.pool is not None

    def spoilt(text: str, at: int) -> str:
        return f"{payloads[at % len(payloads)]} {text}"

    def items(set_name: str) -> tuple[Item, ...]:
        item_set = getattr(analysis, set_name)
        return tuple(
            replace(
                item,
                text=spoilt(item.text, item.row),
                content=((0, len(spoilt(item.text, item.row))),),
                prompt=spoilt(item.prompt, item.row),
                category=spoilt(item.category or "", item.row % 7),
                source=spoilt("", item.row),
                choices=(spoilt("a", item.row), spoilt("b", item.row)),
                answer=spoilt("a", item.row),
                answer_index=0,
            )
            for item in item_set.items
        )

    table = analysis.dictionary.table
    labels = tuple(spoilt(label or "", at) for at, label in enumerate(table.label))
    dictionary = replace(
        analysis.dictionary,
        name=every,
        model=every,
        table=replace(table, label=labels, label_source=labels),
    )
    places = [
        Path(payload.replace("/", "_").replace("\0", "") + ".jsonl") for payload in payloads[:2]
    ]
    return replace(
        analysis,
        benchmark=replace(analysis.benchmark, items=items("benchmark"), name=every, path=places[0]),
        pool=replace(analysis.pool, items=items("pool"), name=every, path=places[1]),
        dictionary=dictionary,
        areas=replace(
            analysis.areas,
            names=tuple(spoilt(name, at) for at, name in enumerate(analysis.areas.names)),
        ),
        findings=tuple(Finding("x", payload, (0,)) for payload in payloads),
    )


def hostile_report(payloads: tuple[str, ...] = PAYLOADS) -> ReportData:
    analysis = hostile_analysis(payloads)
    return collect_report(analysis, plan_revision(analysis, Choice.all_proposals(analysis)))


@pytest.fixture(scope="module")
def report() -> ReportData:
    return hostile_report()


class Tags(HTMLParser):
    """Tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


ALIEN = {"script", "style", "img", "iframe", "object", "embed", "link", "base", "form", "input"}
ALIEN |= {"video", "audio", "animate", "meta", "title", "body"}


def test_page_holds_only_the_tags_it_was_written_with(report: ReportData) -> None:
    tags = Tags(render_html(report)).tags
    names = [tag for tag, _ in tags]
    assert names.count("script") == names.count("style") == names.count("body") == 1
    assert not set(names) & (ALIEN - {"script", "style", "meta", "title", "body", "input"})
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert attributes.get("href", "#").startswith("#")
        assert not {"src", "srcset", "srcdoc", "ping", "action", "style"} & set(attributes)


def test_page_and_markdown_hold_nothing_invisible(report: ReportData) -> None:
    for text in (render_html(report), render_markdown(report)):
        assert not set(text) & set("\x00\x1b\x07\x08\x7f\x9b\u202e\u2066\u200b\u2028\u2029\ufeff")
        text.encode("utf-8")


def test_markdown_renders_to_no_link_picture_or_tag(report: ReportData) -> None:
    from markdown_it import MarkdownIt

    readers = [
        MarkdownIt("commonmark", {"html": True}).enable("table"),
        MarkdownIt("gfm-like", {"html": True, "linkify": False}),
    ]
    for reader in readers:
        html = reader.render(render_markdown(report))
        tags = Tags(html).tags
        names = {tag for tag, _ in tags}
        assert not names & (ALIEN | {"svg", "details", "a", "h4", "h5", "h6"}), names
        assert not [tag for tag in tags if [name for name in tag[1] if name.startswith("on")]]
        assert names <= {*("h1", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td")} | {
            *("ul", "ol", "li", "strong", "em", "code", "blockquote", "hr", "br", "pre"),
        }, names


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server that notes every request."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.browser
def test_browser_runs_and_fetches_nothing_of_it(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        pytest.skip("needs Chromium")
    with listener() as (address, seen):
        report = hostile_report(tuple(payload.replace(ADDRESS, address) for payload in PAYLOADS))
        page = tmp_path / "report.html"
        page.write_text(render_html(report), "utf-8")
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--enable-logging=stderr"),
                *("--virtual-time-budget=4000", f"--user-data-dir={tmp_path / 'user'}"),
                *("--dump-dom", page.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
    assert seen == []
    assert "data-owned" not in Tags(done.stdout).tags[0][1]
    # Nothing of it is even refused by the policy: it never was more than text.
    assert "CONSOLE" not in done.stderr
    assert "&lt;script&gt;" in done.stdout


@pytest.fixture
def hostile_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark and a pool whose every field is hostile, and a finished run on them."""
    use_keywords(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BENCHDESIGN_CONFIG", str(tmp_path / "config.toml"))
    short = [text[:200] for text in HOSTILE.values()] + list(PAYLOADS)
    for name, n_rows, animals in (("a", 80, ("cat", "dog")), ("b", 160, ("cat", "dog", "fox"))):
        rows = [
            {
                "id": f"{short[row % len(short)]} {name}{row}",
                "question": f"{short[row % len(short)]} What does {animals[row % len(animals)]} "
                f"number {row} of {name} eat?",
                "choices": [short[(row + at) % len(short)] + str(at) for at in range(4)],
                "answer": "ABCD"[row % 4],
                "category": short[row % 5],
            }
            for row in range(n_rows)
        ]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_no_command_lets_item_text_reach_the_terminal_raw(
    hostile_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [
        ["run", "a.jsonl", "--pool", "b.jsonl", "--add", "30", "--remove", "5"],
        ["coverage", "a.jsonl"],
        ["coverage", "a.jsonl", "b.jsonl"],
        ["proposals", "a-workspace"],
        ["decide", "a-workspace", "\x1b[2J\u202enone", "accept"],
        ["decide", "a-workspace", "nothing\x1b]0;x\x07", "--note", "\x1b[2J", "accept"],
        ["check", "a.jsonl", "--pool", "b.jsonl", "--max-duplicates", "0"],
        ["models", "a.jsonl", "--results", "b.jsonl"],
        ["dictionary", "info", "\x1b[2J\u202e"],
        ["coverage", "\x1b[2J\u202e.jsonl"],
        ["export", "a-workspace", "--out", "\x1b[2Jout"],
        ["run", "a.jsonl", "--field", "prompt=\x1b[2J"],
        ["no\x1b[2Jcommand"],
    ]
    for command in commands:
        code = run_command(command)
        captured = capsys.readouterr()
        assert code in (0, 1, 2), command
        assert "Something went wrong" not in captured.err, (command, captured.err)
        for line in (captured.out + captured.err).splitlines():
            assert is_clean(line), (command, line)


def test_json_of_every_command_is_ascii_and_says_the_same(
    hostile_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["run", "a.jsonl", "--pool", "b.jsonl", "--add", "30", "--json", "-q"]) == 0
    for command in (
        ["proposals", "a-workspace", "--json"],
        ["coverage", "a.jsonl", "--json", "-q"],
    ):
        capsys.readouterr()
        assert run_command(command) == 0
        out = capsys.readouterr().out
        assert out.isascii()
        assert all(line.isprintable() for line in out.splitlines())
        json.loads(out)


def test_revision_of_hostile_sets_is_whole_and_reads_back(hostile_files: Path) -> None:
    from benchdesign.benchmarks.load import load_benchmark

    assert run_command(["run", "a.jsonl", "--pool", "b.jsonl", "--add", "20", "-q"]) == 0
    before, after = load_benchmark("a.jsonl"), load_benchmark("a-revised/a.revised.jsonl")
    assert Path("a-revised/a.revised.jsonl").read_bytes().startswith(Path("a.jsonl").read_bytes())
    pool = {item.prompt for item in load_benchmark("b.jsonl")}
    assert len(after) > len(before)
    assert {item.prompt for item in after.items[len(before) :]} <= pool
    outside = [path for path in hostile_files.rglob("*") if path.name in {"passwd", "hacked", "x"}]
    assert outside == []
