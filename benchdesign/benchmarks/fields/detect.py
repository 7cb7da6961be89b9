"""Detect which fields of a set hold the prompt, choices, key, id and category.

Field names decide first, then values; the user can set any field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from benchdesign.benchmarks.fields.field_statistics import (
    FieldStatistics,
    measure_fields,
    plain_name,
)
from benchdesign.benchmarks.fields.inline_choices import find_inline_choices, strip_letters
from benchdesign.benchmarks.fields.names import (
    ANSWER_NAMES,
    CATEGORY_NAMES,
    CHOICES_NAMES,
    COLUMN_FAMILY,
    CONTEXT_NAMES,
    DISTRACTORS,
    ID_NAMES,
    LICENCE_NAMES,
    PROMPT_NAMES,
    SOURCE_NAMES,
)
from benchdesign.benchmarks.fields.values import (
    as_list,
    find_index,
    get_value,
    read_choices,
    split_choices,
)
from benchdesign.benchmarks.items import FieldMapping
from benchdesign.errors import FormatError

__all__ = ["ROLES", "detect_fields"]

ROLES = (
    "prompt",
    "context",
    "choices",
    "answer",
    "id",
    "category",
    "source",
    "licence",
    "provenance",
)
KINDS = ("answer_kind", "choices_kind")

Records = Sequence[Mapping[str, Any]]


def detect_fields(
    records: Records, *, fields: Mapping[str, str] | None = None, place: str = "the file"
) -> FieldMapping:
    """Return the field of each role; `fields` sets some, such as {'prompt': 'question'}."""
    statistics = measure_fields(records)
    chosen = _check_fields(fields or {}, statistics, place)
    finder = _Finder(records, statistics, chosen)
    mapping = finder.mapping()
    if mapping.prompt is None:
        raise FormatError(
            f"{place}: no field looks like a prompt among {_list_names(statistics)}. "
            "Set one with --field prompt=FIELD, or use --template."
        )
    return mapping


def _check_fields(
    fields: Mapping[str, str], statistics: Mapping[str, FieldStatistics], place: str
) -> dict[str, str]:
    names = {field.name for field in dataclass_fields(FieldMapping)} - {"origin"}
    for role, path in fields.items():
        if role not in names:
            raise FormatError(
                f"{place}: {role!r} is not a role that a field can have. "
                f"Use one of {', '.join(ROLES)}."
            )
        if role in KINDS or role == "provenance":
            continue
        for column in path.split(",") if role == "choices" else [path]:
            exists = column in statistics or any(
                name.startswith(f"{column}.") for name in statistics
            )
            if not exists:
                similar = get_close_matches(column, list(statistics), n=1, cutoff=0.5)
                hint = (
                    f"Did you mean {similar[0]!r}?"
                    if similar
                    else f"Its fields are {_list_names(statistics)}."
                )
                raise FormatError(f"{place}: no field {column!r} for {role}. {hint}")
    return dict(fields)


def _list_names(statistics: Mapping[str, FieldStatistics], n_shown: int = 12) -> str:
    names = [repr(name) for name in list(statistics)[:n_shown]]
    more = len(statistics) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


class _Finder:
    """Finds the field of each role in turn; a field gets one role only."""

    def __init__(
        self, records: Records, statistics: dict[str, FieldStatistics], chosen: dict[str, str]
    ) -> None:
        self.records = records
        self.statistics = statistics
        self.chosen = chosen
        self.assigned: set[str] = {
            path for role, value in chosen.items() if role not in KINDS for path in value.split(",")
        }

    def mapping(self) -> FieldMapping:
        roles: dict[str, str | None] = dict(self.chosen)
        roles.setdefault("prompt", self._prompt())
        self._assign(roles["prompt"])
        if "choices" in roles:
            kind = self.chosen.get("choices_kind") or self._choices_kind(str(roles["choices"]))
            roles["choices_kind"] = kind
        else:
            roles["choices"], roles["choices_kind"] = self._choices(roles["prompt"])
        self._assign(roles["choices"])
        mapping = FieldMapping(
            prompt=roles["prompt"],
            choices=roles["choices"],
            choices_kind=roles["choices_kind"],
            answer=roles.get("answer"),
        )
        if "answer" not in roles:
            roles["answer"] = self._answer(mapping)
        self._assign(roles["answer"])
        mapping = replace(mapping, answer=roles["answer"])
        roles.setdefault("answer_kind", self._answer_kind(mapping))
        for role, names in (("context", CONTEXT_NAMES), ("source", SOURCE_NAMES)):
            if role not in roles:
                roles[role] = self._by_name(names, kinds={"text", "texts", "messages"})
                self._assign(roles[role])
        if "licence" not in roles:
            roles["licence"] = self._by_name(LICENCE_NAMES, kinds={"text"})
        if roles["context"] is None and roles["prompt"]:
            roles["context"] = self._second_prompt(roles["prompt"])
            self._assign(roles["context"])
        if "id" not in roles:
            roles["id"] = self._id()
            self._assign(roles["id"])
        if "category" not in roles:
            roles["category"] = self._category()
        origin = {
            role: "set" if role in self.chosen else "detected"
            for role in ROLES
            if roles.get(role) is not None
        }
        return FieldMapping(**{k: v for k, v in roles.items() if v is not None}, origin=origin)

    def _assign(self, path: str | None) -> None:
        if path is not None:
            self.assigned.update(path.split(","))
            self.assigned.add(path)

    def _free(self) -> list[FieldStatistics]:
        return [field for path, field in self.statistics.items() if path not in self.assigned]

    def _by_name(self, names: Sequence[str], *, kinds: set[str], share: float = 0.0) -> str | None:
        best: tuple[int, int, str] | None = None
        for order, field in enumerate(self._free()):
            if field.kind not in kinds or field.share <= share:
                continue
            rank = _rank(field, names)
            if rank is not None and (best is None or (rank, order) < best[:2]):
                best = (rank, order, field.path)
        return best[2] if best else None

    def _prompt(self) -> str | None:
        kinds = {"text", "texts", "messages"}
        path = self._by_name(PROMPT_NAMES, kinds=kinds, share=0.5)
        if path is not None:
            field = self.statistics[path]
            # An instruction that most rows share is not the question of an item.
            if field.name == "instruction" and field.distinct < 0.1 and len(self.records) > 10:
                self.assigned.add(path)
                other = self._by_name(PROMPT_NAMES, kinds=kinds, share=0.5)
                self.assigned.discard(path)
                return other or path
            return path
        named = [
            field
            for field in self._free()
            if field.kind == "text"
            and field.share > 0.5
            and any(name in field.name for name in ("question", "prompt", "input", "text"))
            and field.mean_length > 12
        ]
        candidates = named or [
            field
            for field in self._free()
            if field.kind == "text" and field.share > 0.5 and _reads_like_prose(field)
        ]
        return max(candidates, key=lambda field: field.mean_length).path if candidates else None

    def _choices(self, prompt: str | None) -> tuple[str | None, str | None]:
        named = []
        for order, field in enumerate(self._free()):
            rank = _rank(field, CHOICES_NAMES)
            # {"choices": {"text": [...], "label": [...]}}
            parent = field.path.rpartition(".")[0].rpartition(".")[2]
            if rank is None and field.name in {"text", "choices", "texts", "options"} and parent:
                nested = plain_name(parent)
                rank = CHOICES_NAMES.index(nested) if nested in CHOICES_NAMES else None
            if rank is not None and field.share > 0.02:
                named.append((rank, order, field))
        for _, _, field in sorted(named, key=lambda entry: entry[:2]):
            kind = self._choices_kind(field.path)
            if kind is not None and not (field.name == "answers" and kind == "separated"):
                return field.path, kind
        columns = self._choice_columns()
        if columns is not None:
            return columns
        if prompt is not None and self._choices_kind(prompt) in {"inline", "lettered"}:
            return prompt, "inline"
        return None, None

    def _choices_kind(self, path: str) -> str | None:
        if "," in path and path not in self.statistics:
            return "columns"
        field = self.statistics.get(path)
        if field is None or not field.values:
            return None
        is_distractors = bool(DISTRACTORS.search(field.name))
        if field.kind == "targets":
            return "targets"
        if field.kind == "objects":
            return "objects"
        if field.kind in {"texts", "numbers", "list"}:
            lists = [as_list(value) or [] for value in field.values]
            if sum(len(values) > 1 for values in lists) < 0.5 * len(lists) and not is_distractors:
                return None
            if is_distractors:
                return "distractors"
            lettered = sum(strip_letters([str(v) for v in values]) is not None for values in lists)
            return "lettered" if lettered > 0.5 * len(lists) else "list"
        if field.kind != "text":
            return None
        texts = [str(value) for value in field.values]
        matches = [match for text in texts if (match := find_inline_choices(text))]
        if len(matches) >= 0.6 * len(texts):
            starts = sum(match.prompt_end == 0 for match in matches)
            return "lettered" if starts > 0.5 * len(matches) else "inline"
        if _rank(field, CHOICES_NAMES) is None and "choices" not in self.chosen:
            return None
        if is_distractors:
            return "distractors"
        separated = sum(len(split_choices(text)) > 1 for text in texts)
        return "separated" if separated > 0.5 * len(texts) else None

    def _choice_columns(self) -> tuple[str, str] | None:
        families: dict[tuple[str, str], dict[str, str]] = {}
        for field in self._free():
            match = COLUMN_FAMILY.match(field.name)
            if match and field.kind in {"text", "number", "flag"}:
                parent = field.path.rpartition(".")[0]
                family = families.setdefault((parent, match["stem"]), {})
                family.setdefault(match["tag"], field.path)
        best: list[str] = []
        for (_, stem), tags in families.items():
            run = _run_of_tags(tags)
            shares = [self.statistics[path].share for path in run]
            if DISTRACTORS.search(stem) or len(run) < 2 or shares[1] < 0.5:
                continue
            if len(run) > len(best) and not (stem == "" and run[0].lower() != "a"):
                best = run
        return (",".join(best), "columns") if best else None

    def _answer(self, mapping: FieldMapping) -> str | None:
        if mapping.choices_kind == "targets":
            return mapping.choices
        candidates = []
        for order, field in enumerate(self._free()):
            rank = _rank(field, ANSWER_NAMES)
            if rank is None or not field.values or field.kind in {"record", "targets"}:
                continue
            fit = self._fit(replace(mapping, answer=field.path)) if mapping.choices else 0.0
            candidates.append((field.share < 0.5, fit < 0.5, rank, order, field.path))
        if mapping.choices and mapping.choices.endswith(".choices"):
            labels = mapping.choices.removesuffix(".choices") + ".labels"
            if labels in self.statistics:
                return labels
        return min(candidates)[-1] if candidates else None

    def _fit(self, mapping: FieldMapping) -> float:
        kind = self._answer_kind(mapping)
        if mapping.choices_kind == "distractors":
            return 1.0
        return self._kind_share(mapping, kind) if kind in _INDEXED else float(kind == "list")

    def _answer_kind(self, mapping: FieldMapping) -> str | None:
        if mapping.answer is None:
            return None
        field = self.statistics.get(mapping.answer)
        if field is None:
            return "text"
        if field.kind in {"targets", "numbers"} and mapping.choices:
            return "targets"
        if field.kind in {"texts", "numbers", "list"}:
            return "list"
        if not mapping.choices or mapping.choices_kind == "distractors":
            return "text"
        shares = [(self._kind_share(mapping, kind), kind) for kind in _INDEXED]
        highest = max(share for share, _ in shares)
        if highest < 0.3:
            return "text"
        # On a tie the earlier kind wins: a key that equals a choice's text is no position.
        return next(kind for share, kind in shares if share >= highest - 1e-9)

    def _kind_share(self, mapping: FieldMapping, kind: str) -> float:
        n_answers = n_fitting = 0
        for record in self.records:
            value = get_value(record, mapping.answer)
            if isinstance(value, list):
                value = value[0] if value else None
            choices = read_choices(record, mapping)
            if value is None or value == "" or not choices.texts:
                continue
            n_answers += 1
            n_fitting += find_index(value, kind, choices) is not None
        return n_fitting / n_answers if n_answers else 0.0

    def _second_prompt(self, prompt: str) -> str | None:
        """Return the `input` beside an `instruction`, or the reverse, as the context."""
        if plain_name(prompt.rpartition(".")[2]) not in {"instruction", "input"}:
            return None
        return self._by_name(("input", "instruction"), kinds={"text"})

    def _id(self) -> str | None:
        candidates = []
        for order, field in enumerate(self._free()):
            rank = _rank(field, ID_NAMES)
            if field.path == "":
                rank = len(ID_NAMES)
            if rank is None or field.kind not in {"text", "number"} or field.share < 0.9:
                continue
            if field.distinct >= 0.5:
                candidates.append((field.distinct < 0.95, rank, order, field.path))
        return min(candidates)[-1] if candidates else None

    def _category(self) -> str | None:
        candidates = []
        for order, field in enumerate(self._free()):
            rank = _rank(field, CATEGORY_NAMES)
            if rank is None or field.kind not in {"text", "texts"} or field.share < 0.5:
                continue
            # Long texts and labels that differ for most items are not categories.
            if field.mean_length > 80 or (field.distinct > 0.6 and len(field.values) > 20):
                continue
            candidates.append((rank, order, field.path))
        return min(candidates)[-1] if candidates else None


_INDEXED = ("text", "letter", "index", "number")


def _rank(field: FieldStatistics, names: Sequence[str]) -> int | None:
    if field.name in names:
        return names.index(field.name)
    whole = plain_name(field.path)
    return names.index(whole) if whole in names else None


def _reads_like_prose(field: FieldStatistics) -> bool:
    texts = [str(value) for value in field.values[:50]]
    return sum(" " in text.strip() or not text.isascii() for text in texts) > 0.5 * len(texts)


def _run_of_tags(tags: Mapping[str, str]) -> list[str]:
    for first in ("a", "0", "1"):
        run = []
        tag = first
        while tag in tags:
            run.append(tags[tag])
            tag = chr(ord(tag) + 1)
        if run:
            return run
    return []
