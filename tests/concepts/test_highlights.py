"""Words marked in the text of an item."""

from __future__ import annotations

from benchdesign.concepts.maps.highlights import Piece, TextMark, cut, marked_words, strongest_rows
from tests.helpers import make_map


def test_cut_marks_words_without_the_blanks_around_them() -> None:
    pieces = cut("the red fox", [TextMark(3, 7, 1.0)])
    assert pieces == (Piece("the ", 0), Piece("red", 3), Piece(" fox", 0))


def test_mark_of_a_full_stop_alone_is_shown_and_of_a_blank_is_not() -> None:
    assert cut("is it?", [TextMark(5, 6, 1.0)]) == (Piece("is it", 0), Piece("?", 3))
    assert cut("is it?", [TextMark(2, 3, 1.0)]) == (Piece("is it?", 0),)


def test_strongest_of_overlapping_marks_wins() -> None:
    pieces = cut("ab cd ef", [TextMark(0, 5, 0.3), TextMark(3, 8, 0.9)])
    assert pieces == (Piece("ab ", 1), Piece("cd ef", 3))


def test_mark_on_a_piece_of_a_word_grows_to_the_word() -> None:
    pieces = cut("left ventricle, then", [TextMark(8, 11, 1.0)])
    assert [piece.text for piece in pieces if piece.strength] == ["ventricle"]


def test_marked_words_are_whole_and_named_once_strongest_first() -> None:
    marks = [TextMark(2, 5, 0.5), TextMark(0, 2, 1.0), TextMark(8, 11, 0.4), TextMark(16, 19, 0.3)]
    assert marked_words("An owl, owls an owl", marks) == ("An", "owl", "owls")
    assert marked_words("An owlet", [TextMark(3, 6, 1.0)]) == ("owlet",)


def test_mark_in_a_script_without_spaces_stays_as_it_is() -> None:
    pieces = cut("地球は青い", [TextMark(3, 4, 1.0)])
    assert [piece.text for piece in pieces if piece.strength] == ["青"]


def test_long_text_is_cut_around_the_first_mark() -> None:
    text = "word " * 200 + "needle " + "word " * 200
    pieces = cut(text, [TextMark(1000, 1006, 1.0)], limit=100)
    assert "".join(piece.text for piece in pieces if piece.strength) == "needle"
    assert pieces[0] == Piece("… ", 0)
    assert pieces[-1] == Piece(" …", 0)
    assert sum(len(piece.text) for piece in pieces) < 110


def test_mark_beyond_the_text_is_harmless() -> None:
    assert cut("a c", [TextMark(2, 99, 1.0), TextMark(50, 60, 1.0)]) == (
        Piece("a ", 0),
        Piece("c", 3),
    )
    assert cut("", [TextMark(0, 3, 1.0)]) == ()


def test_strongest_rows_come_by_peak_and_absent_concepts_have_none() -> None:
    concept_map = make_map([{0: 1.0}, {0: 3.0, 1: 2.0}, {0: 2.0}], n_concepts=3)
    assert strongest_rows(concept_map, [0, 2], n=2) == {0: [1, 2], 2: []}
