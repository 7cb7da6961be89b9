"""Labels from Neuronpedia for a sae-lens release.

The id comes from the SAE's metadata (about half of the releases have one) or from the command
line. Only this module contacts Neuronpedia, and only on request.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from benchdesign.concepts.dictionaries.dictionary import Dictionary
from benchdesign.concepts.dictionaries.folder import read_config
from benchdesign.concepts.labels.chat_endpoint import EndpointError
from benchdesign.concepts.labels.label_files import read_labels
from benchdesign.concepts.labels.labels import ConceptLabel
from benchdesign.errors import DictionaryError
from benchdesign.foundation.atomic_files import whole_files

__all__ = ["fetch_labels", "neuronpedia_id"]

_EXPORT_URL = "https://www.neuronpedia.org/api/explanation/export"
_MAX_EXPORT_BYTES = 1 << 30
"""Maximum size of an export in bytes: each concept has several explanations with metadata."""


def neuronpedia_id(dictionary: Dictionary) -> str:
    """Return the Neuronpedia id (`model/sae`) of a dictionary with one level."""
    folder = dictionary.levels[0].folder
    config = read_config(folder) if folder is not None and len(dictionary.levels) == 1 else {}
    metadata = config.get("metadata")
    identifier = (metadata if isinstance(metadata, dict) else config).get("neuronpedia_id")
    if not isinstance(identifier, str) or "/" not in identifier:
        raise DictionaryError(
            f"{dictionary.name}: no Neuronpedia id in the metadata; use --neuronpedia MODEL/SAE."
        )
    return identifier


def fetch_labels(
    identifier: str, dictionary: Dictionary, *, store: Path, url: str = _EXPORT_URL
) -> tuple[ConceptLabel, ...]:
    """Fetch the explanations of an id and cache the export in `store`."""
    model, _, sae = identifier.partition("/")
    if not model or not sae:
        raise DictionaryError(f"--neuronpedia {identifier}: use MODEL/SAE, as in the page's URL.")
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
                f"Cannot reach Neuronpedia to fetch {identifier} ({problem})."
            ) from None
        except ValueError:
            raise EndpointError(f"Neuronpedia's response for {identifier} is not JSON.") from None
        store.mkdir(parents=True, exist_ok=True)
        with whole_files(file) as (fresh,):
            fresh.write_bytes(content)
    return read_labels(file, dictionary, source="neuronpedia", max_bytes=_MAX_EXPORT_BYTES)
