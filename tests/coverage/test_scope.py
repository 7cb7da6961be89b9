from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from benchdesign.concepts.maps import concept_map as conceptmap
from benchdesign.coverage.coverage import measure_coverage
from benchdesign.coverage.find_gaps import find_gaps
from benchdesign.coverage.relevance import measure_relevance, top_items
from benchdesign.coverage.scope import Scope
from benchdesign.coverage.status import Status
from benchdesign.errors import UsageError
from tests.helpers import make_dictionary, make_map

DIRECTIONS = {"cooking": [1, 0, 0], "soup": [0.8, 0.6, 0], "engines": [0, 0, 1]}


class Embedder:
    """Embeds the few words it knows; anything else is about nothing known."""

    def embed(self, texts: Sequence[str], /) -> NDArray[np.float16]:
        return np.asarray([DIRECTIONS.get(text, [0, 1, 0]) for text in texts], np.float16)


def embeddings(*names: str) -> NDArray[np.float16]:
    return np.asarray([DIRECTIONS[name] for name in names], np.float16)


def test_a_concept_is_relevant_by_its_label() -> None:
    relevance = measure_relevance(
        Scope("cooking"),
        make_dictionary(["soup", "engines"]),
        mapper=Embedder(),
        concept_map=make_map([], n_concepts=2),
    )
    assert relevance.label_similarity.tolist() == pytest.approx([0.8, 0.0], abs=1e-3)
    assert relevance.score.tolist() == [1.0, 0.0]
    assert relevance.in_scope.tolist() == [True, False]


def test_what_tells_labels_apart_for_readers_does_not_change_what_they_mean() -> None:
    dictionary = make_dictionary(["soup", "soup"])
    relevance = measure_relevance(
        Scope("cooking"),
        dictionary,
        mapper=Embedder(),
        concept_map=make_map([], n_concepts=2),
    )
    assert relevance.label_similarity.tolist() == pytest.approx([0.8, 0.8], abs=1e-3)
    assert relevance.evidence(1, dictionary).label == "soup #1"


def test_a_concept_without_label_is_relevant_by_its_items() -> None:
    items = make_map(
        [{0: 1.0}, {0: 2.0}, {1: 1.0}],
        n_concepts=2,
        embeddings=embeddings("soup", "cooking", "engines"),
    )
    relevance = measure_relevance(
        Scope("cooking"), make_dictionary([None, None]), mapper=Embedder(), concept_map=items
    )
    assert relevance.in_scope.tolist() == [True, False]
    evidence = relevance.evidence(0, make_dictionary([None, None]))
    assert evidence.rows == (1, 0)
    assert evidence.query == "cooking"
    assert evidence.label == "concept 0"
    assert np.isnan(evidence.label_similarity)
    # Mean of (0.8, 0.6) and (1, 0): 1.8 / sqrt(1.8 ** 2 + 0.6 ** 2)
    assert evidence.item_similarity == pytest.approx(0.9487, abs=1e-3)


def test_an_example_widens_the_scope_and_is_named_as_evidence() -> None:
    dictionary = make_dictionary(["engines"])
    relevance = measure_relevance(
        Scope("cooking", examples=("engines",)),
        dictionary,
        mapper=Embedder(),
        concept_map=make_map([], n_concepts=1),
    )
    assert relevance.in_scope.tolist() == [True]
    assert relevance.evidence(0, dictionary).query == "engines"


def test_pins_and_exclusions_overrule_the_measurement() -> None:
    dictionary = make_dictionary(["soup", "engines"])
    relevance = measure_relevance(
        Scope("cooking", pins=(1,), exclusions=(0,)),
        dictionary,
        mapper=Embedder(),
        concept_map=make_map([], n_concepts=2),
    )
    assert relevance.in_scope.tolist() == [False, True]
    assert relevance.score.tolist() == [0.0, 1.0]
    assert [relevance.evidence(c, dictionary).overridden for c in (0, 1)] == ["excluded", "pinned"]


def test_nothing_said_leaves_everything_in_scope() -> None:
    assert Scope().is_empty
    relevance = measure_relevance(
        Scope(),
        make_dictionary(["soup", None]),
        mapper=Embedder(),
        concept_map=make_map([], n_concepts=2),
    )
    assert relevance.in_scope.tolist() == [True, True]


def test_what_nothing_is_known_about_is_out_of_scope() -> None:
    relevance = measure_relevance(
        Scope("cooking"),
        make_dictionary([None]),
        mapper=Embedder(),
        concept_map=make_map([], n_concepts=1),
    )
    assert relevance.in_scope.tolist() == [False]


def test_concepts_out_of_scope_are_kept_out_of_the_gaps_and_counted() -> None:
    dictionary = make_dictionary(["soup", "engines"], base_rates=[0.5, 0.5])
    benchmark = make_map([{}] * 50, n_concepts=2)
    relevance = measure_relevance(
        Scope("cooking"), dictionary, mapper=Embedder(), concept_map=benchmark
    )
    gaps = find_gaps(measure_coverage(benchmark, dictionary), dictionary, relevance=relevance)
    assert [gaps.status(0), gaps.status(1)] == [Status.MISSING, Status.KEPT_OUT]
    assert gaps.kept_out_counts() == {"out of scope": 1}
    assert gaps.row(0).relevance == 1.0


def test_a_concept_cannot_be_pinned_and_excluded() -> None:
    with pytest.raises(UsageError, match="Concept 3 is both"):
        Scope(pins=(1, 3), exclusions=(3,))


def test_a_pin_of_an_unknown_concept_is_refused() -> None:
    with pytest.raises(UsageError, match="outside 0 to 0"):
        measure_relevance(
            Scope(pins=(1,)),
            make_dictionary(["soup"]),
            mapper=Embedder(),
            concept_map=make_map([], n_concepts=1),
        )


def test_strongest_items_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {int(c): float(rng.random()) for c in rng.choice(30, 5, replace=False)} for _ in range(200)
    ]
    items = make_map(rows, n_concepts=30)
    whole = top_items(items, 4)
    monkeypatch.setattr(conceptmap, "_BLOCK_ENTRIES", 37)
    assert (top_items(items, 4) == whole).all()
    dense = items.saliency_matrix().toarray()
    assert all((np.argsort(-dense[:, c])[:4] == whole[c]).all() for c in range(30))


def test_a_concept_no_item_shows_has_no_strongest_items() -> None:
    assert top_items(make_map([{0: 1.0}], n_concepts=2), 2).tolist() == [[0, -1], [-1, -1]]


def test_a_scope_is_told_in_words() -> None:
    assert Scope().description_line() == ""
    assert (
        Scope(sentence=" birds ", cutoff=0.5).description_line()
        == "“birds”; relevance threshold 0.5"
    )
    description = Scope(
        examples=("What\neats\x1b[31m\tit?", "b"), pins=(3,), exclusions=(1, 2)
    ).description_line()
    assert description.startswith("2 example items, first “What eats")
    assert description.endswith(
        "it?”; 1 concept always in scope; 2 concepts excluded; relevance threshold 0.4"
    )
    assert "\x1b" not in description and "\n" not in description
    assert Scope(pins=(3,)).description_line() == "1 concept always in scope"


def test_any_takes_every_item_and_measures_no_relevance() -> None:
    scope = Scope(" Any ", examples=("What is a fox?",))
    assert (scope.takes_all, scope.is_empty, scope.queries) == (True, True, ())
    assert scope.description_line() == "every item is in scope"
    pinned = Scope("any", pins=(1,))
    assert not pinned.is_empty
    assert pinned.description_line() == "every item is in scope; 1 concept always in scope"
    assert not Scope("anything").takes_all
