"""What the `dictionary` commands do: thin calls into `benchdesign.mapping`, and their output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchdesign.benchmarks.load import load_benchmark
from benchdesign.cli.options import stopping
from benchdesign.cli.output import Messages, print_json, print_lines, print_table, share, trust
from benchdesign.concepts.dictionaries.open import default_store, load_dictionary
from benchdesign.concepts.dictionaries.registry import local_entries, read_registry
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


_MOST_MATCHES = 30


_FLAGS = {
    "dead": "never fires",
    "dense": "fires on more than a tenth of everything",
    "rare": "in too few texts of the corpus for its rates to mean anything",
    "structural:punctuation": "fires on punctuation",
    "structural:position": "fires at the start of a text, whatever is there",
    "structural:wordpiece": "fires inside words, whatever they are",
    "structural:template": "fires on the template of one source",
    "unclear": "what it fires on was read and has nothing in common",
}
"""Why a concept is kept out of the counts, in words."""


def info_job(
    concept: str,
    spec: str,
    items: str | None,
    *,
    top: int,
    fields: Mapping[str, str],
    limit: int | None,
    model: str | None,
    device: str | None,
    dtype: str | None,
    hook_module: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print what is known about a concept, and its strongest items of a set."""
    dictionary = load_dictionary(spec)
    found = _find_concepts(dictionary, concept)
    if len(found) > 1:
        _print_matches(dictionary, found, as_json=as_json)
        return
    facts = _facts(dictionary, found[0])
    shown: list[dict[str, Any]] = []
    if items is not None:
        talk = Messages(quiet=quiet)
        benchmark = load_benchmark(items, fields=fields or None, limit=limit)
        talk.say_findings(benchmark.findings, rest="told by `benchdesign check`")
        mapper = open_mapper(model, dictionary, device=device, dtype=dtype, hook_module=hook_module)
        shown = _strongest_items(benchmark.items, mapper, found[0], top, talk)
        facts["items"] = shown
    if as_json:
        print_json(facts)
        return
    _print_facts(dictionary, facts)
    if items is not None:
        title = f"Strongest items of {display(items)} (~ marks those too weak to count):"
        print_lines("", title if shown else "It fires in no item.")
    for one in shown:
        marked = display(one["marked"], newline=" ")
        weak = " " if one["present"] else "~"
        print_lines(f"  {weak}{one['peak']:7.2f}  {display(one['id'])}  {marked}")


def list_job(*, model: str | None, release: str | None, on_disk: bool, as_json: bool) -> None:
    """Print which dictionaries there are."""
    store = default_store()
    registered = read_registry(store=store)
    local = local_entries(store=store, registered=[one.spec for one in registered])
    entries = [*local, *registered]
    if release is not None:
        entries = [one for one in entries if one.release == release]
        if not entries:
            raise UsageError(f"--release {release}: not in the registry of this sae-lens.")
    if model is not None:
        entries = [one for one in entries if model.lower() in one.model.lower()]
    if on_disk:
        entries = [one for one in entries if one.on_disk]
    if as_json:
        print_json({"dictionaries": [asdict(one) for one in entries]})
        return
    registry = [one for one in entries if one.spec.startswith("sae-lens:")]
    shown = [
        one
        for one in entries
        if one.on_disk or release is not None or not one.spec.startswith("sae-lens:")
    ]
    if shown:
        print_table(
            ["dictionary", "model", "reads", "width", "on disk"],
            [
                [one.spec, one.model, one.hook_point, one.width, "yes" if one.on_disk else "no"]
                for one in shown
            ],
            right="   r",
        )
    if registry and release is None and not on_disk:
        print_lines("", "Releases in sae-lens' registry; --release NAME lists one:", "")
        _print_releases(registry)
    if not entries:
        print_lines("No dictionary matches.")


def _print_releases(entries: Sequence[Any]) -> None:
    sizes = Counter(one.release for one in entries)
    here = Counter(one.release for one in entries if one.on_disk)
    first = {one.release: one for one in reversed(entries)}
    widths: dict[str, dict[str, None]] = {}
    hooks: dict[str, dict[str, None]] = {}
    for one in entries:
        widths.setdefault(one.release, {})[one.width] = None
        hooks.setdefault(one.release, {})[_hook_of_any_layer(one.hook_point)] = None
    print_table(
        ["release", "model", "reads", "SAEs", "widths", "on disk"],
        [
            [
                name,
                first[name].model,
                " ".join(hook for hook in hooks[name] if hook),
                f"{sizes[name]:,}",
                " ".join(width for width in widths[name] if width),
                str(here[name]),
            ]
            for name in sorted(sizes)
        ],
        right="   r",
    )


def _hook_of_any_layer(hook_point: str) -> str:
    """Return a hook point without the number of its layer; empty where only the layer is known."""
    block, _, rest = hook_point.partition("blocks.")
    return f"{block}blocks.*.{rest.partition('.')[2]}" if rest else ""


def _find_concepts(dictionary: Dictionary, text: str) -> list[int]:
    """Return the concept of an id, or all whose label holds the words."""
    if text.isdecimal():
        if int(text) >= dictionary.n_concepts:
            raise UsageError(
                f"There is no concept {text}; {dictionary.name} has {dictionary.n_concepts:,}, "
                "numbered from 0."
            )
        return [int(text)]
    wanted = text.strip().lower()
    if not wanted:
        raise UsageError("Give the id of a concept, or words to look for in labels.")
    found = [n for n, label in enumerate(dictionary.table.label) if wanted in (label or "").lower()]
    if not found:
        raise UsageError(f"No label of {dictionary.name} holds {display(text)!r}.")
    return found


def _print_matches(dictionary: Dictionary, found: Sequence[int], *, as_json: bool) -> None:
    if as_json:
        print_json({"concepts": [_facts(dictionary, concept) for concept in found]})
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
            for concept in found[:_MOST_MATCHES]
        ],
        right="r",
    )
    if len(found) > _MOST_MATCHES:
        print_lines(f"... and {len(found) - _MOST_MATCHES:,} more.")


def _facts(dictionary: Dictionary, concept: int) -> dict[str, Any]:
    """Return everything the dictionary knows about a concept, ready for JSON."""
    table, level = dictionary.table, dictionary.level_of(concept)

    def known(value: float) -> float | None:
        return None if value != value else round(float(value), 6)

    return {
        "concept_id": concept,
        "level": level.name,
        "unit": level.unit,
        "hook_point": level.hook_point,
        "label": table.label[concept],
        "label_source": table.label_source[concept],
        "label_score": known(table.label_score[concept]),
        "area": table.area[concept],
        "flags": sorted(table.flags[concept]),
        "threshold": known(table.threshold[concept]),
        "mean_activation": known(table.mean_activation[concept]),
        "max_activation": known(table.max_activation[concept]),
        "q90": known(table.q90[concept]),
        "density": known(table.density[concept]),
        "length_edges": list(dictionary.length_edges),
        "base_rates": [known(rate) for rate in table.base_rates[concept]],
    }


def _print_facts(dictionary: Dictionary, facts: Mapping[str, Any]) -> None:
    label = display(facts["label"] or "(no label)")
    origin = facts["label_source"] or "none"
    score = facts["label_score"]
    trust = "not measured" if score is None else f"{score:.2f} (0.5 is chance)"
    edges = facts["length_edges"]
    spans = [f"{low}-{high - 1}" for low, high in zip((0, *edges), edges, strict=False)]
    spans.append(f"{edges[-1]} and more" if edges else "any length")
    unit = {"token": "tokens", "passage": "passages"}.get(facts["unit"], facts["unit"])
    print_lines(
        f"concept {facts['concept_id']}  {label}",
        f"  label        from {display(origin)}, trust {trust}",
        f"  level        {facts['level']} ({unit} at {facts['hook_point']}) of {dictionary.name}",
        f"  area         {display(facts['area'] or 'none')}",
        *(f"  kept out     {flag}: {_FLAGS.get(flag, 'by its maker')}" for flag in facts["flags"]),
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
    items: Sequence[Item], mapper: Mapper, concept: int, top: int, talk: Messages
) -> list[dict[str, Any]]:

    with stopping(talk.say) as stop:
        concept_map = map_items(items, mapper, progress=talk.progress, stop=stop)
    talk.done()
    shown = []
    for row in strongest_rows(concept_map, [concept], n=top)[concept]:
        item, peak = items[row], concept_map.at(row, concept)
        evidence = mapper.evidence(item, [concept])[concept]
        marks = find_marks(evidence, concept_map, row=row, concept_id=concept)
        pieces = cut(item.text, marks, limit=240)
        shown.append(
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
                    {"start": one.start, "end": one.end, "activation": one.activation}
                    for one in evidence
                ],
            }
        )
    return shown


def _number(value: float | None) -> str:
    return decimals(value, unknown="not known")
