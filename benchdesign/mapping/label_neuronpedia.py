"""Labels that Neuronpedia has for a sae-lens release.

The id is in the SAE's metadata (about half of the releases have one) or given by hand. This is
the only place that asks Neuronpedia, and only when told to.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from benchdesign.dictionary import Dictionary
from benchdesign.errors import DictionaryError
from benchdesign.mapping.endpoint import EndpointError
from benchdesign.mapping.label import ConceptLabel, read_labels
from benchdesign.whole_files import whole_files

__all__ = ["fetch_labels", "neuronpedia_id"]

_EXPORT = "https://www.neuronpedia.org/api/explanation/export"
_LARGEST = 1 << 30
"""Bytes of an export: it says much more of a concept than its label, of several explanations."""


def neuronpedia_id(dictionary: Dictionary) -> str:
    """Return the id a dictionary of one level has on Neuronpedia (`model/sae`)."""
    from benchdesign.mapping.dictionaries import read_config

    folder = dictionary.levels[0].folder
    config = read_config(folder) if folder is not None and len(dictionary.levels) == 1 else {}
    metadata = config.get("metadata")
    found = (metadata if isinstance(metadata, dict) else config).get("neuronpedia_id")
    if not isinstance(found, str) or "/" not in found:
        raise DictionaryError(
            f"{dictionary.name}: its metadata names no Neuronpedia id; "
            "give --neuronpedia MODEL/SAE."
        )
    return found


def fetch_labels(
    identifier: str, dictionary: Dictionary, *, store: Path, url: str = _EXPORT
) -> tuple[ConceptLabel, ...]:
    """Fetch the explanations of an id and keep the export in `store` for the next time."""
    model, _, sae = identifier.partition("/")
    if not model or not sae:
        raise DictionaryError(f"--neuronpedia {identifier}: write MODEL/SAE, as in its address.")
    file = store / f"{model}_{sae}".replace("/", "_")
    file = file.with_name(f"{file.name}.json")
    if not file.is_file():
        query = urllib.parse.urlencode({"modelId": model, "saeId": sae})
        try:
            with urllib.request.urlopen(f"{url}?{query}", timeout=120) as response:
                content = response.read()
            if not json.loads(content):
                raise DictionaryError(f"Neuronpedia has no explanations for {identifier}.")
        except (urllib.error.URLError, TimeoutError, ConnectionError) as problem:
            raise EndpointError(
                f"Neuronpedia cannot be reached for {identifier} ({problem})."
            ) from None
        except ValueError:
            raise EndpointError(f"Neuronpedia's answer for {identifier} is not JSON.") from None
        store.mkdir(parents=True, exist_ok=True)
        with whole_files(file) as (fresh,):
            fresh.write_bytes(content)
    return read_labels(file, dictionary, source="neuronpedia", most=_LARGEST)
