"""`dictionary info` and `list`: show concepts and dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.cli.actions.option_settings import field_mapping
from benchdesign.cli.dictionary_options import ConceptItemsOptions, ShownModelOptions
from benchdesign.cli.interrupt import stop_on_interrupt
from benchdesign.cli.options import OutputOptions
from benchdesign.cli.output import Messages, print_json, print_lines, print_table, share, trust
from benchdesign.concepts.dictionaries.available_dictionaries import local_entries, read_registry
from benchdesign.concepts.dictionaries.open import default_store, load_dictionary
from benchdesign.concepts.mapping.map_items import map_items
from benchdesign.concepts.mapping.open_mapper import open_mapper
from benchdesign.concepts.maps.highlights import cut, find_marks, strongest_rows
from benchdesign.errors import UsageError
from benchdesign.foundation.number_words import decimals
from benchdesign.foundation.text import display

if TYPE_CHECKING:
    from benchdesign.benchmarks.items import Item
    from benchdesign.concepts.dictionaries.dictionary import Dictionary
    from benchdesign.concepts.mapping.mapper_protocols import Mapper

__all__ = ["info_job", "list_job"]

_MAX_MATCHES = 30

_FLAGS = {
    "dead": "never fires",
    "dense": "fires on more than a tenth of all tokens or passages",
    "rare": "in too few texts of the corpus for reliable rates",
    "structural:punctuation": "fires on punctuation",
    "structural:position": "fires at the start of any text",
    "structural:wordpiece": "fires inside any word",
    "structural:template": "fires on the template of one source",
    "unclear": "the passages it fires on were read and have nothing in common",
}
"""Reasons to keep a concept out of the counts."""


def info_job(
    concept: str,
    spec: str,
    items: ConceptItemsOptions,
    model: ShownModelOptions,
    output: OutputOptions,
) -> None:
    """Print the facts about a concept, and its strongest items of a set."""
    fields = field_mapping(items.field, "--field")
    dictionary = load_dictionary(spec)
    concepts = _find_concepts(dictionary, concept)
    if len(concepts) > 1:
        _print_matches(dictionary, concepts, as_json=output.as_json)
        return
    facts = _facts(dictionary, concepts[0])
    if items.items is not None:
        messages, load = Messages(quiet=output.quiet), model.load
        benchmark = load_benchmark(items.items, fields=fields or None, limit=items.limit)
        messages.say_findings(benchmark.findings, rest="listed by `benchdesign check`")
        mapper = open_mapper(
            model.model,
            dictionary,
            device=load.device,
            dtype=load.dtype,
            hook_module=load.hook_module,
        )
        facts["items"] = _strongest_items(benchmark.items, mapper, concepts[0], items.top, messages)
    if output.as_json:
        print_json(facts)
        return
    _print_facts(dictionary, facts)
    if items.items is not None:
        _print_items(items.items, facts["items"])


def list_job(*, model: str | None, release: str | None, on_disk: bool, as_json: bool) -> None:
    """Print the dictionaries that are available."""
    store = default_store()
    registered = read_registry(store=store)
    local = local_entries(store=store, registered=[entry.spec for entry in registered])
    entries = [*local, *registered]
    if release is not None:
        entries = [entry for entry in entries if entry.release == release]
        if not entries:
            raise UsageError(f"--release {release}: not in the registry of this sae-lens.")
    if model is not None:
        entries = [entry for entry in entries if model.lower() in entry.model.lower()]
    if on_disk:
        entries = [entry for entry in entries if entry.on_disk]
    if as_json:
        print_json({"dictionaries": [asdict(entry) for entry in entries]})
        return
    registry = [entry for entry in entries if entry.spec.startswith("sae-lens:")]
    listed = [
        entry
        for entry in entries
        if entry.on_disk or release is not None or not entry.spec.startswith("sae-lens:")
    ]
    if listed:
        print_table(
            ["dictionary", "model", "reads", "width", "on disk"],
            [
                [
                    entry.spec,
                    entry.model,
                    entry.hook_point,
                    entry.width,
                    "yes" if entry.on_disk else "no",
                ]
                for entry in listed
            ],
            right="   r",
        )
    if registry and release is None and not on_disk:
        print_lines("", "Releases in sae-lens' registry; --release NAME lists one:", "")
        _print_releases(registry)
    if not entries:
        print_lines("No dictionary matches.")


def _print_releases(entries: Sequence[Any]) -> None:
    counts = Counter(entry.release for entry in entries)
    local_counts = Counter(entry.release for entry in entries if entry.on_disk)
    first = {entry.release: entry for entry in reversed(entries)}
    widths: dict[str, dict[str, None]] = {}
    hooks: dict[str, dict[str, None]] = {}
    for entry in entries:
        widths.setdefault(entry.release, {})[entry.width] = None
        hooks.setdefault(entry.release, {})[_hook_of_any_layer(entry.hook_point)] = None
    print_table(
        ["release", "model", "reads", "SAEs", "widths", "on disk"],
        [
            [
                name,
                first[name].model,
                " ".join(hook for hook in hooks[name] if hook),
                f"{counts[name]:,}",
                " ".join(width for width in widths[name] if width),
                str(local_counts[name]),
            ]
            for name in sorted(counts)
        ],
        right="   r",
    )


def _hook_of_any_layer(hook_point: str) -> str:
    """Return a hook point without the number of its layer; empty if only the layer is known."""
    block, _, rest = hook_point.partition("blocks.")
    return f"{block}blocks.*.{rest.partition('.')[2]}" if rest else ""


def _find_concepts(dictionary: Dictionary, text: str) -> list[int]:
    """Return the concept of an id, or every concept whose label contains the words."""
    if text.isdecimal():
        if int(text) >= dictionary.n_concepts:
            raise UsageError(
                f"There is no concept {text}; {dictionary.name} has {dictionary.n_concepts:,}, "
                "numbered from 0."
            )
        return [int(text)]
    words = text.strip().lower()
    if not words:
        raise UsageError("Give the id of a concept, or words to find in labels.")
    concepts = [
        concept
        for concept, label in enumerate(dictionary.table.label)
        if words in (label or "").lower()
    ]
    if not concepts:
        raise UsageError(f"No label of {dictionary.name} contains {display(text)!r}.")
    return concepts


def _print_matches(dictionary: Dictionary, concepts: Sequence[int], *, as_json: bool) -> None:
    if as_json:
        print_json({"concepts": [_facts(dictionary, concept) for concept in concepts]})
        return
    print_table(
        ["concept", "level", "label", "trust", "kept out as"],
        [
            [
                str(concept),
                dictionary.level_of(concept).name,
                display(dictionary.label(concept)),
                trust(dictionary.label_score(concept)),
                dictionary.kept_out(concept) or "",
            ]
            for concept in concepts[:_MAX_MATCHES]
        ],
        right="r",
    )
    if len(concepts) > _MAX_MATCHES:
        print_lines(f"... and {len(concepts) - _MAX_MATCHES:,} more.")


def _facts(dictionary: Dictionary, concept: int) -> dict[str, Any]:
    """Return everything a dictionary stores about a concept, ready for JSON."""
    table, level = dictionary.table, dictionary.level_of(concept)

    def rounded(value: float) -> float | None:
        return None if value != value else round(float(value), 6)

    return {
        "concept_id": concept,
        "level": level.name,
        "unit": level.unit,
        "hook_point": level.hook_point,
        "label": table.label[concept],
        "label_source": table.label_source[concept],
        "label_score": rounded(table.label_score[concept]),
        "area": table.area[concept],
        "flags": sorted(table.flags[concept]),
        "threshold": rounded(table.threshold[concept]),
        "mean_activation": rounded(table.mean_activation[concept]),
        "max_activation": rounded(table.max_activation[concept]),
        "q90": rounded(table.q90[concept]),
        "density": rounded(table.density[concept]),
        "length_edges": list(dictionary.length_edges),
        "base_rates": [rounded(rate) for rate in table.base_rates[concept]],
    }


def _print_facts(dictionary: Dictionary, facts: Mapping[str, Any]) -> None:
    label = display(facts["label"] or "(no label)")
    origin = facts["label_source"] or "none"
    score = facts["label_score"]
    label_trust = "not measured" if score is None else f"{score:.2f} (0.5 is chance)"
    edges = facts["length_edges"]
    spans = [f"{low}-{high - 1}" for low, high in zip((0, *edges), edges, strict=False)]
    spans.append(f"{edges[-1]} and more" if edges else "any length")
    unit = {"token": "tokens", "passage": "passages"}.get(facts["unit"], facts["unit"])
    print_lines(
        f"concept {facts['concept_id']}  {label}",
        f"  label        from {display(origin)}, trust {label_trust}",
        f"  level        {facts['level']} ({unit} at {facts['hook_point']}) of {dictionary.name}",
        f"  area         {display(facts['area'] or 'none')}",
        *(
            f"  kept out     {flag}: {_FLAGS.get(flag, 'flagged by its author')}"
            for flag in facts["flags"]
        ),
        f"  present at   {_number(facts['threshold'])} and above",
        f"  activation   mean {_number(facts['mean_activation'])}, "
        f"largest {_number(facts['max_activation'])}",
        f"  fires on     {share(facts['density'])} of {unit}",
        "  base rate    by content tokens of a text:",
        *(
            f"    {span:>12}  {share(rate)}"
            for span, rate in zip(spans, facts["base_rates"], strict=True)
        ),
    )


def _strongest_items(
    items: Sequence[Item], mapper: Mapper, concept: int, top: int, messages: Messages
) -> list[dict[str, Any]]:
    """Return the items that show a concept most, ready for JSON."""
    with stop_on_interrupt(messages) as stop:
        concept_map = map_items(items, mapper, progress=messages.progress, stop=stop)
    rows = []
    for row in strongest_rows(concept_map, [concept], n=top)[concept]:
        item, peak = items[row], concept_map.at(row, concept)
        evidence = mapper.evidence(item, [concept])[concept]
        marks = find_marks(evidence, concept_map, row=row, concept_id=concept)
        pieces = cut(item.text, marks, limit=240)
        rows.append(
            {
                "id": item.id,
                "row": item.row,
                "peak": float(peak.peak) if peak else 0.0,
                "present": peak is not None
                and bool(peak.peak >= mapper.dictionary.table.threshold[concept]),
                "saliency": float(peak.saliency) if peak else 0.0,
                "marked": "".join(
                    f"[{piece.text}]" if piece.strength else piece.text for piece in pieces
                ),
                "tokens": [
                    {"start": token.start, "end": token.end, "activation": token.activation}
                    for token in evidence
                ],
            }
        )
    return rows


def _print_items(path: str, rows: Sequence[Mapping[str, Any]]) -> None:
    title = f"Strongest items of {display(path)} (~ marks those too weak to count):"
    print_lines("", title if rows else "It fires in no item.")
    for row in rows:
        marked = display(row["marked"], newline=" ")
        mark = " " if row["present"] else "~"
        print_lines(f"  {mark}{row['peak']:7.2f}  {display(row['id'])}  {marked}")


def _number(value: float | None) -> str:
    return decimals(value, unknown="not known")
