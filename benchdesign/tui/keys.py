"""Every key of the interface: id, action, tooltip and group. No key has two meanings.

Screens get their bindings from here by id, and the footer and the help are built from it. The
user's key map (`[keys]` in the settings file) refers to the ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType

__all__ = [
    "FOOTERS",
    "KEYS",
    "SCREENS",
    "Key",
    "ScreenName",
    "bindings",
    "bound_key",
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
    """The question that the screen answers, shown in its help."""


SCREENS: tuple[ScreenName, ...] = (
    ScreenName(1, "open", "Open", "Can I start, and what will it cost?"),
    ScreenName(2, "overview", "Overview", "How good is this benchmark, and what is next?"),
    ScreenName(
        3, "concepts", "Concepts", "Which concepts does it touch, how often, and is that true?"
    ),
    ScreenName(4, "gaps", "Gaps", "What is missing, how certain is it, and can the pool fix it?"),
    ScreenName(5, "candidates", "Candidates", "Should this item join (or leave)?"),
    ScreenName(6, "items", "Items", "What exactly is in the benchmark?"),
    ScreenName(7, "models", "Models", "Where do models differ, concept by concept?"),
    ScreenName(8, "compare", "Compare", "How does it differ from another benchmark?"),
    ScreenName(9, "export", "Export", "What will I publish, and is it defensible?"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """One action and its keys, the same on every screen that has the action."""

    id: str
    keys: str
    """Comma-separated; the first is the one shown."""

    action: str
    word: str
    """Footer label: one or two words."""

    tooltip: str
    """Text for help and palette: one sentence."""

    group: str


_ALL_KEYS = (
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
        "Show the previous evidence, or close an area.",
        "Move",
    ),
    Key(
        "move.right",
        "right,l",
        "next_part",
        "next",
        "Show the next evidence, or open an area.",
        "Move",
    ),
    Key("move.jump", "ctrl+o", "jump", "jump", "Go to a pane by its letter.", "Move"),
    Key("open", "enter", "open_row", "open", "Open the row under the cursor.", "Move"),
    Key("back", "escape", "back", "back", "Go back; clear filter and marks.", "Move"),
    Key("zoom", "z", "zoom", "zoom", "Maximize the focused pane, or restore it.", "View"),
    Key("filter", "slash", "filter", "filter", "Filter this list while typing.", "View"),
    Key("facets", "f", "facets", "states", "Show the next state, grouping or list.", "View"),
    Key("sort", "s", "sort", "sort", "Sort by the next column.", "View"),
    Key("sort.reverse", "S", "sort_reverse", "reverse", "Reverse the sort order.", "View"),
    Key(
        "save_view",
        "v",
        "save_view",
        "save view",
        "Save this filter, or apply a saved one.",
        "View",
    ),
    Key("mark", "space", "mark", "mark", "Mark the row; actions apply to all marked rows.", "Mark"),
    Key("mark.up", "shift+up", "mark_up", "mark up", "Mark and move up.", "Mark"),
    Key("mark.down", "shift+down", "mark_down", "mark down", "Mark and move down.", "Mark"),
    Key("accept", "a", "accept", "accept", "Accept the candidate and go to the next.", "Review"),
    Key("reject", "r", "reject", "reject", "Reject the candidate and go to the next.", "Review"),
    Key(
        "defer",
        "d",
        "defer",
        "defer",
        "Leave the candidate for later and go to the next.",
        "Review",
    ),
    Key(
        "next_open", "n", "next_open", "next open", "Go to the next undecided candidate.", "Review"
    ),
    Key(
        "choose",
        "c",
        "choose",
        "choose",
        "Choose a reason, the scope, results, columns or a format.",
        "Review",
    ),
    Key("note", "e", "note", "note", "Write a note.", "Review"),
    Key(
        "edit",
        "E",
        "edit",
        "edit text",
        "Edit the item in your editor, as a new version.",
        "Review",
    ),
    Key("duplicates", "D", "duplicates", "duplicates", "Show the closest items in full.", "Review"),
    Key("blind", "B", "blind", "blind", "Hide the answers, or show them again.", "Review"),
    Key("ignore", "i", "ignore", "ignore", "Ignore the concept in every count.", "Review"),
    Key(
        "drop", "x", "drop", "drop/keep", "Drop or restore the item; forget a workspace.", "Review"
    ),
    Key("want", "t", "want", "want", "Set how many items should show the concept.", "Review"),
    Key(
        "merge", "m", "merge", "merge", "Count marked concepts as one, or separate them.", "Review"
    ),
    Key(
        "want.rule",
        "T",
        "want_rule",
        "want rule",
        "Change the rule that defines a gap.",
        "Review",
    ),
    Key("why", "w", "why", "why", "Show why the row has this state.", "Review"),
    Key(
        "pin",
        "plus",
        "pin",
        "in scope",
        "Pin the concept or area into scope; say that the group is meant.",
        "Review",
    ),
    Key(
        "exclude",
        "minus",
        "exclude",
        "out of scope",
        "Exclude the concept or area from scope; say that the group is not meant.",
        "Review",
    ),
    Key(
        "baseline",
        "b",
        "baseline",
        "baseline",
        "Show scores relative to each model's overall score.",
        "View",
    ),
    Key(
        "preview",
        "p",
        "preview",
        "preview",
        "Show what the revision changes before writing it.",
        "File",
    ),
    Key("outside", "o", "open_outside", "open report", "Open the report.", "File"),
    Key("undo", "u,ctrl+z", "undo", "undo", "Undo the last decision.", "Decision"),
    Key("redo", "U,ctrl+y", "redo", "redo", "Redo the last undone decision.", "Decision"),
    Key("copy", "y", "copy", "copy", "Copy the id, the folder or the command.", "File"),
    Key("new", "ctrl+n", "new", "new", "Create a new workspace.", "File"),
    Key("recompute", "R", "recompute", "recompute", "Recompute what is out of date.", "Job"),
    Key("stop", "X", "stop", "stop", "Stop the running job; finished work is kept.", "Job"),
    Key("export", "ctrl+e", "export", "export", "Export what this screen shows.", "File"),
    Key(
        "help",
        "question_mark,f1",
        "help",
        "help",
        "Show what this screen does, and its keys.",
        "Help",
    ),
    Key(
        "palette",
        "ctrl+p",
        "command_palette",
        "commands",
        "Find any command, concept or item.",
        "Help",
    ),
    Key("quit", "q,ctrl+q", "quit", "quit", "Quit; everything is already saved.", "Help"),
    *(
        Key(
            f"screen.{screen.mode}",
            str(screen.number),
            f"go('{screen.mode}')",
            screen.title,
            f"Go to {screen.title}.",
            "Screens",
        )
        for screen in SCREENS
    ),
)

KEYS: dict[str, Key] = {key.id: key for key in _ALL_KEYS}

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
    *(f"screen.{screen.mode}" for screen in SCREENS),
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
    "groups": ("open", "pin", "exclude", "facets", "why", "recompute", "undo", "help"),
    "gaps": ("open", "move.right", "want", "want.rule", "ignore", "why", "undo", "help"),
    "candidates": ("accept", "reject", "defer", "next_open", "choose", "note", "undo", "help"),
    "items": ("filter", "facets", "sort", "drop", "note", "copy", "undo", "help"),
    "models": ("choose", "sort", "facets", "baseline", "copy", "help", "palette"),
    "compare": ("choose", "open", "sort", "facets", "copy", "help", "palette"),
    "export": ("export", "choose", "preview", "outside", "copy", "help", "palette", "quit"),
}
"""At most eight keys per screen, most used first; a narrow screen shows the first five and help.

`groups` is the first list of the Gaps screen.
"""

_FOOTER_WORDS = {
    ("open", "drop"): "forget",
    ("overview", "open"): "next step",
    ("overview", "choose"): "scope",
    ("concepts", "open"): "items",
    ("concepts", "move.right"): "evidence",
    ("groups", "open"): "review",
    ("groups", "pin"): "meant",
    ("groups", "exclude"): "not meant",
    ("groups", "facets"): "areas, concepts",
    ("groups", "recompute"): "search again",
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
"""Footer labels that differ from the general one on a screen."""


def footer_word(mode: str, key_id: str) -> str:
    """Return the footer label of a key on a screen."""
    return _FOOTER_WORDS.get((mode, key_id), KEYS[key_id].word)


_KEY_LABELS = {
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
    """Return the display form of a key (`ctrl+p` as `^p`)."""
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+')}"
    return _KEY_LABELS.get(key, key)


def bound_key(key_id: str, key_map: Mapping[str, str]) -> str:
    """Return the first key of an action, according to the user's key map."""
    return key_map.get(key_id, KEYS[key_id].keys).split(",")[0]


def bindings(*ids: str) -> list[BindingType]:
    """Return the Textual bindings of the keys with these ids."""
    return [
        Binding(
            key=KEYS[key_id].keys,
            action=KEYS[key_id].action,
            description=KEYS[key_id].word,
            show=False,
            key_display=key_label(KEYS[key_id].keys.split(",")[0]),
            tooltip=KEYS[key_id].tooltip,
            id=KEYS[key_id].id,
        )
        for key_id in ids
    ]
