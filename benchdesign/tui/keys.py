"""Every key of the interface: id, meaning, tooltip and group. The same key never means two things.

Screens take their bindings from here by id, the footer and the help are made from it, and a
person's key map (`[keys]` in the settings) refers to the ids.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

__all__ = [
    "FOOTERS",
    "KEYS",
    "SCREENS",
    "Key",
    "ScreenName",
    "bindings",
    "footer_word",
    "key_label",
]


@dataclass(frozen=True, slots=True)
class ScreenName:
    """One of the nine screens."""

    number: int
    mode: str
    title: str
    question: str
    """What the screen answers, as its help says."""


SCREENS: tuple[ScreenName, ...] = (
    ScreenName(1, "open", "Open", "Can I start, and what will it cost?"),
    ScreenName(2, "overview", "Overview", "How good is this benchmark, and what next?"),
    ScreenName(3, "concepts", "Concepts", "Which concepts does it touch, how often, is it true?"),
    ScreenName(4, "gaps", "Gaps", "What is missing, how sure is that, can the pool fix it?"),
    ScreenName(5, "candidates", "Candidates", "Should this item join (or leave)?"),
    ScreenName(6, "items", "Items", "What exactly is in the benchmark?"),
    ScreenName(7, "models", "Models", "Where do models differ, concept by concept?"),
    ScreenName(8, "compare", "Compare", "How does it differ from another benchmark?"),
    ScreenName(9, "export", "Export", "What will I publish, and is it defensible?"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """One thing a key does, on every screen where it does anything."""

    id: str
    keys: str
    """Comma-separated; the first is the one shown."""

    action: str
    word: str
    """For the footer: one or two words."""

    tooltip: str
    """For help and palette: one sentence."""

    group: str


_ALL = (
    Key("move.up", "up,k", "cursor_up", "up", "Move up.", "Move"),
    Key("move.down", "down,j", "cursor_down", "down", "Move down.", "Move"),
    Key("move.page_up", "pageup", "page_up", "page up", "Move one page up.", "Move"),
    Key("move.page_down", "pagedown", "page_down", "page down", "Move one page down.", "Move"),
    Key("move.first", "home,g", "first", "first", "Go to the first row.", "Move"),
    Key("move.last", "end,G", "last", "last", "Go to the last row.", "Move"),
    Key(
        "move.left",
        "left,h",
        "previous_part",
        "previous",
        "Previous piece of evidence, or close an area.",
        "Move",
    ),
    Key(
        "move.right",
        "right,l",
        "next_part",
        "next",
        "Next piece of evidence, or open an area.",
        "Move",
    ),
    Key("move.jump", "ctrl+o", "jump", "jump", "Show a letter on every pane and go there.", "Move"),
    Key("open", "enter", "open_row", "open", "Open what the cursor is on.", "Move"),
    Key("back", "escape", "back", "back", "Go back; clear filter and marks.", "Move"),
    Key(
        "zoom", "z", "zoom", "zoom", "Give the focused pane all the room, or give it back.", "View"
    ),
    Key("filter", "slash", "filter", "filter", "Filter this list while typing.", "View"),
    Key("facets", "f", "facets", "states", "Step through the states shown.", "View"),
    Key("sort", "s", "sort", "sort", "Sort by the next column.", "View"),
    Key("sort.reverse", "S", "sort_reverse", "reverse", "Turn the order round.", "View"),
    Key(
        "save_view", "v", "save_view", "save view", "Keep this filter, or go to a kept one.", "View"
    ),
    Key("mark", "space", "mark", "mark", "Mark the row; actions then apply to all marked.", "Mark"),
    Key("mark.up", "shift+up", "mark_up", "mark up", "Mark and move up.", "Mark"),
    Key("mark.down", "shift+down", "mark_down", "mark down", "Mark and move down.", "Mark"),
    Key("accept", "a", "accept", "accept", "Accept the candidate and go on.", "Review"),
    Key("reject", "r", "reject", "reject", "Reject the candidate and go on.", "Review"),
    Key("defer", "d", "defer", "defer", "Leave the candidate for later and go on.", "Review"),
    Key("next_open", "n", "next_open", "next open", "Go to the next undecided one.", "Review"),
    Key(
        "choose",
        "c",
        "choose",
        "choose",
        "Choose: reason, scope, results, columns, format.",
        "Review",
    ),
    Key("note", "e", "note", "note", "Write a note.", "Review"),
    Key("edit", "E", "edit", "edit text", "Edit the item in your editor; a new version.", "Review"),
    Key("duplicates", "D", "duplicates", "duplicates", "Show the closest items in full.", "Review"),
    Key("blind", "B", "blind", "blind", "Hide the answers, or show them again.", "Review"),
    Key("ignore", "i", "ignore", "ignore", "Leave the concept out of every count.", "Review"),
    Key("drop", "x", "drop", "drop/keep", "Drop or bring back; forget a workspace.", "Review"),
    Key("want", "t", "want", "want", "Say how many items should show the concept.", "Review"),
    Key("merge", "m", "merge", "merge", "Count marked concepts as one, or apart again.", "Review"),
    Key(
        "want.rule",
        "T",
        "want_rule",
        "want rule",
        "Change the rule that says what is a gap.",
        "Review",
    ),
    Key("why", "w", "why", "why", "Show why this is called so.", "Review"),
    Key("pin", "plus", "pin", "in scope", "Pin the concept or area into scope.", "Review"),
    Key("exclude", "minus", "exclude", "out of scope", "Put it out of scope.", "Review"),
    Key("baseline", "b", "baseline", "baseline", "Compare with the models' average.", "View"),
    Key(
        "preview",
        "p",
        "preview",
        "preview",
        "Show what the revision changes before writing it.",
        "File",
    ),
    Key("outside", "o", "open_outside", "open report", "Open the report or its folder.", "File"),
    Key("undo", "u,ctrl+z", "undo", "undo", "Undo the last decision.", "Decision"),
    Key("redo", "U,ctrl+y", "redo", "redo", "Redo the decision undone last.", "Decision"),
    Key("copy", "y", "copy", "copy", "Copy id, row or command.", "File"),
    Key("new", "ctrl+n", "new", "new", "Make a new workspace.", "File"),
    Key("recompute", "R", "recompute", "recompute", "Compute what is out of date.", "Job"),
    Key("stop", "X", "stop", "stop", "Stop the running job; what is done stays.", "Job"),
    Key("export", "ctrl+e", "export", "export", "Export what this screen shows.", "File"),
    Key("help", "question_mark,f1", "help", "help", "What this screen does, and its keys.", "Help"),
    Key(
        "palette",
        "ctrl+p",
        "command_palette",
        "commands",
        "Find any command, concept, item.",
        "Help",
    ),
    Key("quit", "q,ctrl+q", "quit", "quit", "Leave; everything is saved already.", "Help"),
    *(
        Key(
            f"screen.{one.mode}",
            str(one.number),
            f"go('{one.mode}')",
            one.title,
            f"Go to {one.title}.",
            "Screens",
        )
        for one in SCREENS
    ),
)

KEYS: dict[str, Key] = {key.id: key for key in _ALL}

TABLE_KEYS = (
    "move.up",
    "move.down",
    "move.page_up",
    "move.page_down",
    "move.first",
    "move.last",
    "mark",
    "mark.up",
    "mark.down",
    "open",
)
"""Handled by the focused list itself."""

APP_KEYS = (
    *(f"screen.{one.mode}" for one in SCREENS),
    "undo",
    "redo",
    "stop",
    "recompute",
    "help",
    "palette",
    "quit",
    "move.jump",
)
"""The same on every screen."""

_LIST_KEYS = (
    "filter",
    "facets",
    "sort",
    "sort.reverse",
    "move.left",
    "move.right",
    "back",
    "zoom",
    "copy",
    "export",
)

SCREEN_KEYS: dict[str, tuple[str, ...]] = {
    "open": ("open", "new", "drop", "filter", "back", "copy"),
    "overview": ("open", "choose", "outside", "back", "zoom", "move.left", "move.right"),
    "concepts": (*_LIST_KEYS, "open", "ignore", "merge", "want", "note", "pin", "exclude", "why"),
    "gaps": (
        *_LIST_KEYS,
        "want",
        "want.rule",
        "ignore",
        "merge",
        "note",
        "pin",
        "exclude",
        "why",
    ),
    "candidates": (
        *_LIST_KEYS,
        "move.up",
        "move.down",
        "move.page_up",
        "move.page_down",
        "accept",
        "reject",
        "defer",
        "next_open",
        "choose",
        "note",
        "edit",
        "duplicates",
        "blind",
    ),
    "items": (*_LIST_KEYS, "drop", "choose", "note", "edit", "save_view"),
    "models": (*_LIST_KEYS, "choose", "baseline"),
    "compare": (*_LIST_KEYS, "open", "choose"),
    "export": ("export", "choose", "preview", "outside", "copy", "back"),
}

FOOTERS: dict[str, tuple[str, ...]] = {
    "open": ("open", "new", "drop", "filter", "help", "palette", "quit"),
    "overview": ("open", "choose", "recompute", "outside", "undo", "help", "palette", "quit"),
    "concepts": ("filter", "facets", "open", "move.right", "ignore", "want", "undo", "help"),
    "gaps": ("open", "move.right", "want", "want.rule", "ignore", "why", "undo", "help"),
    "candidates": ("accept", "reject", "defer", "next_open", "choose", "note", "undo", "help"),
    "items": ("filter", "facets", "sort", "drop", "note", "copy", "undo", "help"),
    "models": ("choose", "sort", "facets", "baseline", "copy", "help", "palette"),
    "compare": ("choose", "open", "sort", "facets", "copy", "help", "palette"),
    "export": ("export", "choose", "preview", "outside", "copy", "help", "palette", "quit"),
}
"""At most eight a screen, the most wanted first; a narrow screen shows the first five and help."""

_WORDS = {
    ("open", "drop"): "forget",
    ("overview", "open"): "go on",
    ("overview", "choose"): "scope",
    ("concepts", "open"): "items",
    ("concepts", "move.right"): "evidence",
    ("gaps", "open"): "review",
    ("gaps", "move.right"): "open, next",
    ("gaps", "ignore"): "not a gap",
    ("candidates", "choose"): "reason",
    ("items", "choose"): "columns",
    ("models", "choose"): "results",
    ("models", "facets"): "lists",
    ("compare", "facets"): "lists",
    ("compare", "choose"): "other set",
    ("compare", "open"): "items",
    ("export", "export"): "write",
    ("export", "choose"): "format",
}
"""What a key's general word means on one screen."""


def footer_word(mode: str, key_id: str) -> str:
    """Return the word for a key at the foot of a screen."""
    return _WORDS.get((mode, key_id), KEYS[key_id].word)


_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "plus": "+",
    "minus": "-",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}


def key_label(key: str) -> str:
    """Return how a key is written for people (`ctrl+p` as `^p`)."""
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+')}"
    return _NAMES.get(key, key)


def bindings(*ids: str) -> list[BindingType]:
    """Make the Textual bindings of some keys."""
    return [
        Binding(
            key=KEYS[one].keys,
            action=KEYS[one].action,
            description=KEYS[one].word,
            show=False,
            key_display=key_label(KEYS[one].keys.split(",")[0]),
            tooltip=KEYS[one].tooltip,
            id=KEYS[one].id,
        )
        for one in ids
    ]
