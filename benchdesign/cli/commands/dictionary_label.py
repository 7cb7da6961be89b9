"""`dictionary label`."""
# Annotations are not postponed: the parser would compile hundreds of them at every start.
# ruff: noqa: D301 - the parser needs a real backspace to keep lines as they are

from benchdesign.cli.dictionary_options import (
    DictionaryPath,
    EndpointOptions,
    LabelFilesOptions,
    LabelScoreOptions,
    LabelSourceOptions,
    LabelSubsetOptions,
)
from benchdesign.cli.option_groups import option_groups

__all__ = ["label"]


@option_groups
def label(
    dictionary: DictionaryPath,
    source: LabelSourceOptions,
    endpoint: EndpointOptions,
    scoring: LabelScoreOptions,
    subset: LabelSubsetOptions,
    files: LabelFilesOptions,
) -> None:
    """Label concepts from a file, by key words, by a language model or from Neuronpedia.

    \b
    Examples:
      benchdesign dictionary label my-dictionary --keywords --contexts contexts.jsonl.gz --score
      benchdesign dictionary label my-dictionary --from labels.csv
    """
    from benchdesign.cli.actions.dictionary_label import LabelRequest, label_job

    label_job(LabelRequest(dictionary, source, endpoint, scoring, subset, files))
