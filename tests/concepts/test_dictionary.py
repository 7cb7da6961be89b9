"""What concepts are called."""

from __future__ import annotations

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.maps.merged_concepts import merged_dictionary
from tests.helpers import make_dictionary


def labels_of(dictionary: Dictionary) -> list[str]:
    return [dictionary.label(concept_id) for concept_id in range(dictionary.n_concepts)]


def test_concepts_called_alike_are_told_apart_by_their_ids() -> None:
    dictionary = make_dictionary(["write", "read", "write", None])
    assert labels_of(dictionary) == ["write #0", "read", "write #2", "concept 3"]
    assert dictionary.bare_label(0) == dictionary.bare_label(2) == "write"


def test_only_a_concept_that_is_not_kept_out_makes_another_one_ambiguous() -> None:
    flags = {1: ["dead"], 2: ["dead"], 3: ["dense"]}
    dictionary = make_dictionary(["write", "write", "read", "read"], flags=flags)
    assert labels_of(dictionary) == ["write", "write #1", "read", "read"]


def test_what_is_merged_leaves_its_label_to_the_other_one() -> None:
    dictionary = make_dictionary(["write", "write", "write"])
    assert labels_of(merged_dictionary(dictionary, {1: 0}))[::2] == ["write #0", "write #2"]
    assert labels_of(merged_dictionary(dictionary, {1: 0, 2: 0}))[0] == "write"
