"""Labels: from files, key words, a model, Neuronpedia; and how far to trust them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.concepts.dictionaries.open import load_dictionary
from benchdesign.concepts.labels import from_neuronpedia as label_neuronpedia
from benchdesign.concepts.labels.by_keywords import label_by_keywords
from benchdesign.concepts.labels.by_language_model import (
    estimate_cost,
    judge_labels,
    judged_concepts,
    label_by_model,
)
from benchdesign.concepts.labels.chat_endpoint import Endpoint, EndpointError
from benchdesign.concepts.labels.from_neuronpedia import fetch_labels, neuronpedia_id
from benchdesign.concepts.labels.label_files import read_labels, write_labels
from benchdesign.concepts.labels.labels import ConceptLabel, apply_labels, shared_labels
from benchdesign.concepts.labels.score import auc, score_labels, word_similarity
from benchdesign.concepts.training.context_files import read_contexts, write_contexts
from benchdesign.concepts.training.contexts import ConceptContexts, Context
from benchdesign.errors import InputError, Interrupted, OutputExistsError, UsageError
from tests.helpers import make_dictionary, make_tiny_sae

TWO_LEVELS = make_dictionary([None] * 5, levels=[("terms", "token", 3), ("themes", "passage", 2)])


def context(text: str, word: str = "", activation: float = 2.0) -> Context:
    """A context whose strongest token is `word`."""
    start = text.find(word) if word else 0
    return Context(text, start, start + len(word), activation if word else 0.0, "source")


def make_contexts(concept_id: int, word: str) -> ConceptContexts:
    """A concept that fires on one word."""
    strong = tuple(context(f"the {word} sat on mat {n}", word) for n in range(4))
    absent = tuple(context(f"nothing to see here {n}") for n in range(4))
    return ConceptContexts(concept_id, "terms", strong, (), absent, strong, absent)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "concept_id,label\n1,cats\n4,dogs\n"),
        ("a.tsv", "level\tindex\tlabel\nterms\t1\tcats\nthemes\t1\tdogs\n"),
        ("a.json", '[{"concept_id": 1, "label": "cats"}, {"level": "themes", "index": "1", '
                   '"description": "dogs"}]'),
        ("b.json", '{"1": "cats", "4": {"label": "dogs"}}'),
        ("a.jsonl", '{"concept": 1, "label": "cats"}\n{"concept": 4, "explanation": "dogs"}\n'),
    ],
)  # fmt: skip
def test_labels_are_read_from_every_format(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    labels = read_labels(tmp_path / name, TWO_LEVELS)
    assert [(label.concept_id, label.label, label.source) for label in labels] == [
        (1, "cats", "file"),
        (4, "dogs", "file"),
    ]


def test_a_neuronpedia_export_gives_its_first_explanation(tmp_path: Path) -> None:
    export = [
        {"modelId": "m", "layer": "4-res", "index": "2", "description": " mentions of cats."},
        {"modelId": "m", "layer": "4-res", "index": "2", "description": "felines"},
    ]
    (tmp_path / "export.json").write_text(json.dumps(export))
    assert read_labels(tmp_path / "export.json", TWO_LEVELS) == (
        ConceptLabel(2, "mentions of cats", "neuronpedia"),
    )


def test_a_label_that_a_spreadsheet_would_run_is_guarded_and_read_back(tmp_path: Path) -> None:
    labels = (ConceptLabel(1, "=cmd|' /C calc'!A0", "file"), ConceptLabel(2, "@SUM(1)", "file"))
    write_labels(labels, tmp_path / "labels.csv")
    written = (tmp_path / "labels.csv").read_text("utf-8")
    assert "1,'=cmd" in written and "2,'@SUM" in written
    assert read_labels(tmp_path / "labels.csv", TWO_LEVELS) == labels


def test_a_concept_that_nobody_can_name_is_kept_out_until_somebody_does(tmp_path: Path) -> None:
    folder = make_tiny_sae(tmp_path / "sae")
    opened = load_dictionary(folder)
    (tmp_path / "a.csv").write_text("concept_id,label,flag\n0,,unclear\n1,cats,\n")
    read = read_labels(tmp_path / "a.csv", opened)
    write_labels(read, tmp_path / "again.csv")
    assert read_labels(tmp_path / "again.csv", opened) == read
    apply_labels(opened, read, tmp_path / "first")
    first = load_dictionary(tmp_path / "first")
    assert first.kept_out(0) == "unclear" and first.kept_out(1) is None
    apply_labels(first, [ConceptLabel(0, "dogs", "written")], tmp_path / "second")
    assert load_dictionary(tmp_path / "second").kept_out(0) is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "concept_id,label\n9,cats\n", "a.csv:2: no concept 9"),
        ("a.csv", "concept_id,label\none,cats\n", "not a whole number"),
        ("a.csv", "label\ncats\n", "names no concept"),
        ("a.csv", "concept_id,label,flag\n1,,dead\n", "only 'unclear' is allowed"),
        ("a.csv", "concept_id,label,flag\n1,cats,unclear\n", "remove one of the two"),
        ("a.csv", "concept_id,label\n1,a\n1,b\n", "a.csv:3: concept 1 already has a label"),
        ("a.csv", "", "the file is empty"),
        ("a.csv", "concept_id,label\n", "contains no labels"),
        ("a.csv", "concept_id,label\n1.5,cats\n", "'1.5' is not a whole number"),
        ("a.json", '[{"concept_id": 1.5, "label": "cats"}]', "'1.5' is not a whole number"),
        ("a.json", '[{"concept_id": true, "label": "cats"}]', "'True' is not a whole number"),
        ("a.json", '[{"concept_id": 1e999, "label": "cats"}]', "'inf' is not a whole number"),
        ("a.json", '[{"concept_id": 1, "label": ["cats"]}]', "label is not a string"),
        ("a.json", '[{"concept_id": 1, "area": {"a": 1}}]', "area is not a string"),
        ("a.json", '[{"index": 1, "level": [1], "label": "cats"}]', "level is not a string"),
        ("a.json", '[{"concept_id": 1, "label": "a", "label_score": 1e999}]', "from 0 to 1"),
        ("a.json", '[{"concept_id": 1, "label": "a", "label_score": [1]}]', "from 0 to 1"),
        ("a.csv", "concept_id,label,label_score\n1,a,-1\n", "from 0 to 1"),
        ("a.csv", "level,index,label\nareas,1,x\n", "no level 'areas'"),
        ("a.json", "[1]", "entry 0 is not an object"),
        ("a.json", "{", "not JSON"),
        ("a.xlsx", "", "not a label format"),
    ],
)
def test_a_bad_label_file_is_one_clear_error(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path / name, TWO_LEVELS)


def test_labels_that_expand_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = gzip.compress(b"\n" * (1 << 20))
    (tmp_path / "a.csv.gz").write_bytes(blank * 3)
    monkeypatch.setattr("benchdesign.benchmarks.formats.compression.MAX_UNCHECKED", 1 << 20)
    with pytest.raises(InputError, match=r"a\.csv\.gz: expands to over 250 times its size"):
        read_labels(tmp_path / "a.csv.gz", TWO_LEVELS)


def test_labels_over_the_limit_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n" * ((1 << 20) + 1))
    with pytest.raises(InputError, match=r"a\.jsonl: larger than 1 MB; split"):
        read_labels(tmp_path / "a.jsonl", TWO_LEVELS, max_bytes=1 << 20)


def test_export_that_was_fetched_may_be_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert label_neuronpedia._MAX_EXPORT_BYTES > 128 << 20
    (tmp_path / "m_4-res.json").write_text(" " * ((1 << 20) + 1))
    monkeypatch.setattr(label_neuronpedia, "_MAX_EXPORT_BYTES", 1 << 20)
    with pytest.raises(InputError, match=r"m_4-res\.json: larger than 1 MB; .* --from"):
        fetch_labels("m/4-res", TWO_LEVELS, store=tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"concept_id": 1, "label": "a", "label_score": NaN}]'),
        ("a.csv", "concept_id,label,label_score\n1,a,nan\n"),
    ],
)
def test_score_that_is_not_a_number_is_not_known(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert read_labels(tmp_path / name, TWO_LEVELS)[0].score is None


def test_labels_in_another_encoding_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("concept_id,label\n1,caf\u00e9\n".encode("latin-1"))
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_labels(tmp_path / "a.csv", TWO_LEVELS)


def test_labels_survive_being_written_and_read(tmp_path: Path) -> None:
    labels = (
        ConceptLabel(0, "cats, and dogs", "written", 0.75, "animals"),
        ConceptLabel(3, None, None),
    )
    write_labels(labels, tmp_path / "labels.csv")
    read = read_labels(tmp_path / "labels.csv", TWO_LEVELS)
    assert read[0] == labels[0]
    assert read[1].label is None


def test_a_hostile_label_becomes_one_short_visible_line(tmp_path: Path) -> None:
    text = json.dumps([{"concept_id": 0, "label": "\x1b[2Jcats\n\u202egnp." + "x" * 200}])
    (tmp_path / "a.json").write_text(text)
    label = read_labels(tmp_path / "a.json", TWO_LEVELS)[0].label
    assert label is not None
    assert len(label) == 80
    assert not set(label) & {"\x1b", "\n", "\u202e"}


def test_a_plain_sae_gets_labels_in_a_copy(tmp_path: Path) -> None:
    folder = make_tiny_sae(tmp_path / "sae")
    plain = load_dictionary(folder)
    labels = [ConceptLabel(2, "cats", "file", 0.9, "animals")]
    with pytest.raises(UsageError, match="--out"):
        apply_labels(plain, labels, folder)
    apply_labels(plain, labels, tmp_path / "copy")
    copy = load_dictionary(tmp_path / "copy")
    assert copy.table.label[:3] == (None, None, "cats")
    assert copy.table.area[2] == "animals"
    assert copy.table.label_score[2] == pytest.approx(0.9)
    weights = "sae_weights.safetensors"
    assert (tmp_path / "copy/terms" / weights).read_bytes() == (folder / weights).read_bytes()
    with pytest.raises(OutputExistsError, match="--force"):
        apply_labels(plain, labels, tmp_path / "copy")


def test_live_concepts_of_one_level_and_label_are_not_unique() -> None:
    dictionary = make_dictionary(
        ["cats", "Cats", "dogs", "cats", None, "dogs"],
        levels=[("terms", "token", 5), ("themes", "passage", 1)],
        flags={3: ["dense"]},
    )
    assert shared_labels(dictionary) == {0: 2, 1: 2}


def test_new_words_lose_the_score_of_the_old_ones(tmp_path: Path) -> None:
    plain = load_dictionary(make_tiny_sae(tmp_path / "sae"))
    scored = [ConceptLabel(0, "cats", "file", 0.9), ConceptLabel(1, "dogs", "file", 0.8)]
    labelled = apply_labels(plain, scored, tmp_path / "copy")
    again = [ConceptLabel(0, "felines", "written"), ConceptLabel(1, "dogs", "written")]
    changed = apply_labels(labelled, again, tmp_path / "copy")
    assert np.isnan(changed.table.label_score[0])
    assert changed.table.label_score[1] == pytest.approx(0.8)


def test_labels_that_are_there_can_be_left_alone(tmp_path: Path) -> None:
    plain = load_dictionary(make_tiny_sae(tmp_path / "sae"))
    labelled = apply_labels(plain, [ConceptLabel(0, "cats", "written")], tmp_path / "copy")
    more = [ConceptLabel(0, "x", "keywords"), ConceptLabel(1, "y", "keywords")]
    kept = apply_labels(labelled, more, tmp_path / "copy", only_missing=True)
    assert kept.table.label[:2] == ("cats", "y")


def test_key_words_name_what_the_concept_fires_on() -> None:
    labels = label_by_keywords([make_contexts(0, "cat"), make_contexts(1, "harbour")], n_words=1)
    assert [label.label for label in labels] == ["cat", "harbour"]


def test_a_word_of_one_context_does_not_become_the_label() -> None:
    odd = context("Xylophone the cat sat", "Xylophone", 3.0)
    concept = make_contexts(0, "cat")
    changed = ConceptContexts(0, "terms", (*concept.strong, odd), (), (), (), ())
    assert label_by_keywords([changed], n_words=1)[0].label == "cat"


def test_contexts_survive_being_written_and_read(tmp_path: Path) -> None:
    contexts = [make_contexts(0, "cat"), make_contexts(1, "dog")]
    for name in ("a.jsonl", "a.jsonl.gz"):
        write_contexts(contexts, tmp_path / name, n_present=[3, 4])
        assert list(read_contexts(tmp_path / name)) == contexts
    with pytest.raises(InputError, match=r"b\.jsonl:1: not a line of contexts"):
        (tmp_path / "b.jsonl").write_text("{}\n")
        list(read_contexts(tmp_path / "b.jsonl"))


def by_word(texts: Sequence[str]) -> NDArray[np.float32]:
    """An embedder that knows two words."""
    return np.array(
        [[float("cat" in text), float("dog" in text)] for text in texts], dtype=np.float32
    )


def test_a_right_label_scores_one_and_a_wrong_one_chance() -> None:
    contexts = [make_contexts(0, "cat"), make_contexts(1, "dog")]
    labels = [ConceptLabel(0, "cat words", "file"), ConceptLabel(1, "cat words", "file")]
    right, wrong = score_labels(labels, contexts, embed=by_word)
    assert (right.score, wrong.score) == (1.0, 0.5)


def test_what_cannot_be_scored_has_no_score() -> None:
    labels = [ConceptLabel(0, None, None), ConceptLabel(7, "cats", "file")]
    scored = score_labels(labels, [make_contexts(0, "cat")], embed=by_word)
    assert [label.score for label in scored] == [None, None]


@pytest.mark.parametrize(
    ("label", "shares"),
    [
        ("the word “exactly”", [1, 0, 0]),
        ("forms of “operate”", [0, 1, 0]),
        ("word pieces “xa” and “qu”", [1, 0, 0]),
        ("operating rooms", [0, 1, 0]),
        ("operating theatres", [0, 0.5, 0]),
        ("the word of", [0, 0, 0]),
    ],
)
def test_a_labels_own_words_are_looked_for(label: str, shares: list[float]) -> None:
    texts = ["It is Exactly so.", "the operating room", "a cat of mine"]
    assert word_similarity(label, texts).tolist() == shares


def test_auc_counts_pairs_and_halves_ties() -> None:
    present = np.array([0.9, 0.5], dtype=np.float32)
    absent = np.array([0.5, 0.1], dtype=np.float32)
    assert auc(present, absent) == pytest.approx(3.5 / 4)


Reply = Callable[[dict[str, Any]], tuple[int, object]]


@contextmanager
def serve(reply: Reply) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run an endpoint on this machine; yields its address and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
            status, content = reply(body)
            payload = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(content: str) -> tuple[int, object]:
    """An answer of a chat endpoint."""
    return 200, {"choices": [{"message": {"content": content}}]}


def label_all(body: dict[str, Any]) -> tuple[int, object]:
    """Label every concept asked about."""
    asked = json.loads(body["messages"][1]["content"])
    return says("```json\n" + json.dumps({key: f"label {key}" for key in asked}) + "\n```")


def endpoint(url: str) -> Endpoint:
    return Endpoint(url, "tiny", key="secret", wait=lambda _: None)


def test_a_model_labels_concepts_in_batches_with_the_peak_marked(tmp_path: Path) -> None:
    contexts = [make_contexts(n, "cat") for n in range(5)]
    with serve(label_all) as (url, asked):
        labels = label_by_model(contexts, endpoint(url), journal=tmp_path / "j", per_request=2)
    assert labels[4] == ConceptLabel(4, "label 4", "model:tiny")
    assert len(asked) == 3
    assert asked[0]["path"] == "/v1/chat/completions"
    assert asked[0]["key"] == "Bearer secret"
    assert "the <<cat>> sat on mat 0" in asked[0]["messages"][1]["content"]


def test_answers_before_a_stop_are_not_asked_for_again(tmp_path: Path) -> None:
    contexts = [make_contexts(n, "cat") for n in range(4)]
    journal = tmp_path / "journal.jsonl"
    with serve(label_all) as (url, asked):
        with pytest.raises(Interrupted):
            label_by_model(
                contexts,
                endpoint(url),
                journal=journal,
                per_request=1,
                n_at_once=1,
                stop=lambda: len(asked) >= 2,
            )
        journal.write_text(journal.read_text() + '{"concept_id": 3, "la')
        labels = label_by_model(
            contexts, endpoint(url), journal=journal, per_request=1, n_at_once=1
        )
    assert [label.label for label in labels] == [f"label {n}" for n in range(4)]
    assert len(asked) == 4


def test_a_busy_endpoint_is_asked_again(tmp_path: Path) -> None:
    replies: Iterator[tuple[int, object]] = iter([(503, {}), (429, {})])
    waits: list[float] = []
    with serve(lambda body: next(replies, None) or label_all(body)) as (url, asked):
        busy = Endpoint(url, "tiny", wait=waits.append)
        labels = label_by_model([make_contexts(0, "cat")], busy, journal=tmp_path / "j")
    assert labels[0].label == "label 0"
    assert (len(asked), waits) == (3, [1.0, 2.0])


def test_a_refusal_is_one_line_without_the_key(tmp_path: Path) -> None:
    with (
        serve(lambda _: (401, {"error": "no"})) as (url, asked),
        pytest.raises(EndpointError, match="401") as caught,
    ):
        label_by_model([make_contexts(0, "cat")], endpoint(url), journal=tmp_path / "j")
    assert len(asked) == 1
    assert "secret" not in str(caught.value) + repr(endpoint(url))


def test_an_answer_about_another_concept_is_dropped(tmp_path: Path) -> None:
    with serve(lambda _: says('{"7": "planted", "0": ["not", "text"]}')) as (url, _):
        labels = label_by_model([make_contexts(0, "cat")], endpoint(url), journal=tmp_path / "j")
    assert labels == (ConceptLabel(0, None, "model:tiny"),)


def test_an_answer_without_json_is_an_error(tmp_path: Path) -> None:
    with (
        serve(lambda _: says("I cannot help with that.")) as (url, _),
        pytest.raises(EndpointError, match="no JSON"),
    ):
        label_by_model([make_contexts(0, "cat")], endpoint(url), journal=tmp_path / "j")


def test_cost_is_known_before_anything_is_asked() -> None:
    cost = estimate_cost([make_contexts(n, "cat") for n in range(9)], per_request=4)
    assert (cost.n_concepts, cost.n_requests) == (9, 3)
    assert cost.n_tokens_in > 600
    assert cost.price(1e6, 0) == pytest.approx(cost.n_tokens_in)


def judge(body: dict[str, Any]) -> tuple[int, object]:
    """Judge by whether a text is about cats."""
    asked = json.loads(body["messages"][1]["content"])
    marks = {k: [10 * ("cat" in text) for text in v["texts"]] for k, v in asked.items()}
    return says(json.dumps(marks))


def test_a_judge_sees_texts_and_not_which_of_them_fire(tmp_path: Path) -> None:
    contexts = [make_contexts(0, "cat"), make_contexts(1, "dog")]
    labels = [ConceptLabel(0, "cats", "file"), ConceptLabel(1, "dogs", "file")]
    with serve(judge) as (url, asked):
        scored = judge_labels(
            labels, contexts, endpoint(url), journal=tmp_path / "journal", n_at_once=1
        )
    assert [label.score for label in scored] == [1.0, 0.5]
    assert "activation" not in asked[0]["messages"][1]["content"]


def test_a_stopped_judging_pays_for_nothing_twice(tmp_path: Path) -> None:
    contexts = [make_contexts(n, "cat") for n in range(4)]
    labels = [ConceptLabel(n, "cats", "file") for n in range(4)]
    options: dict[str, Any] = {"journal": tmp_path / "journal", "per_request": 1, "n_at_once": 1}
    checks = iter([False, True])
    with serve(judge) as (url, asked):
        with pytest.raises(Interrupted):
            judge_labels(labels, contexts, endpoint(url), stop=lambda: next(checks), **options)
        assert len(asked) == 2
        with (tmp_path / "journal").open("a") as log:
            log.write('{"asked": "ti')  # as a crash leaves it
        known = judged_concepts(tmp_path / "journal", labels, contexts, model="tiny")
        assert known == {0, 1}
        # Another label for a concept is another question.
        changed = [replace(labels[0], label="kittens"), *labels[1:]]
        scored = judge_labels(changed, contexts, endpoint(url), **options)
        assert [label.score for label in scored] == [1.0] * 4
        assert len(asked) == 5
        assert judge_labels(changed, contexts, endpoint(url), **options) == scored
        assert len(asked) == 5


def test_a_judge_that_answers_amiss_scores_nothing(tmp_path: Path) -> None:
    with serve(lambda _: says('{"0": [1, 2]}')) as (url, _):
        scored = judge_labels(
            [ConceptLabel(0, "cats", "file")],
            [make_contexts(0, "cat")],
            endpoint(url),
            journal=tmp_path / "journal",
        )
    assert scored[0].score is None


def test_an_address_that_is_not_one_is_refused() -> None:
    with pytest.raises(InputError, match="http"):
        Endpoint("file:///etc/passwd", "tiny")


def test_neuronpedia_labels_are_kept_for_the_next_time(tmp_path: Path) -> None:
    export = [{"modelId": "m", "layer": "l", "index": 1, "description": "cats"}]
    (tmp_path / "m_4-res.json").write_text(json.dumps(export))
    # The file is there, so nothing is fetched: this address answers nobody.
    labels = fetch_labels("m/4-res", TWO_LEVELS, store=tmp_path, url="http://127.0.0.1:9")
    assert labels == (ConceptLabel(1, "cats", "neuronpedia"),)
    with pytest.raises(EndpointError, match="Cannot reach Neuronpedia"):
        fetch_labels("m/5-res", TWO_LEVELS, store=tmp_path, url="http://127.0.0.1:9")


def test_an_sae_without_an_id_says_so(tmp_path: Path) -> None:
    plain = load_dictionary(make_tiny_sae(tmp_path / "sae"))
    with pytest.raises(InputError, match="no Neuronpedia id in the metadata"):
        neuronpedia_id(plain)
