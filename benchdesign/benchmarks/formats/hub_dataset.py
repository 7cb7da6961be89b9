"""Datasets of the Hugging Face hub: the only reader that uses the network, for `hf:` names only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchdesign.benchmarks.formats.format_reader import OpenFile
from benchdesign.benchmarks.formats.source import Record
from benchdesign.benchmarks.formats.source_candidate import SourceCandidate
from benchdesign.benchmarks.formats.splits import choose_split
from benchdesign.benchmarks.formats.typed_table import TableSource
from benchdesign.errors import FormatError, MissingExtraError

__all__ = ["HUB_PREFIX", "HubDataset", "HubFormat"]

HUB_PREFIX = "hf:"


class HubDataset(TableSource):
    """One split of a hub dataset; it is written as Parquet, as on the hub."""

    format = "hub"
    suffix = ".parquet"

    def __init__(self, spec: str, table: Any, fingerprint: str) -> None:
        super().__init__(Path(spec.replace("/", "--").replace(":", "-")))
        self._table = table
        self._fingerprint = fingerprint

    @property
    def sha256(self) -> str:
        """Digest of the fingerprint that `datasets` computes: there is no single file."""
        return hashlib.sha256(self._fingerprint.encode("utf-8")).hexdigest()

    @property
    def schema(self) -> Any:
        """Arrow schema of the split."""
        return self._table.schema

    def _block_sizes(self) -> Sequence[int]:
        return [self._table.num_rows]

    def _read_block(self, block: int) -> Any:
        return self._table

    def write(self, path: Path, rows: Sequence[int], added: Sequence[Record]) -> None:
        """Write the rows and then `added` as Parquet."""
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, self.schema) as out:
            for table in self.tables_of_rows(rows):
                out.write_table(table)
            if added:
                out.write_table(self.table_of(added))


class HubFormat:
    """Names that start with `hf:`."""

    name = "hub"
    suffixes = frozenset[str]()
    has_splits = True

    def claims(self, candidate: SourceCandidate) -> bool:
        """Whether the name is that of a hub dataset."""
        return candidate.kind == "hub"

    def open(
        self, candidate: SourceCandidate, *, split: str | None, open_file: OpenFile
    ) -> HubDataset:
        """Open the dataset; download its files unless they are cached."""
        return _open_hub(candidate.name, split=split)


def _open_hub(spec: str, *, split: str | None) -> HubDataset:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("Reading hub datasets needs: pip install datasets") from error
    name, _, config = spec.removeprefix(HUB_PREFIX).partition(":")
    if not name or name.startswith(("/", ".")) or name.count("/") > 1:
        raise FormatError(f"{spec}: not a hub dataset. Use hf:owner/name or hf:owner/name:config.")
    try:
        names = datasets.get_dataset_split_names(name, config or None)
        chosen, findings = choose_split(list(names), split, spec)
        dataset = datasets.load_dataset(name, config or None, split=chosen)
    except FormatError:
        raise
    # `datasets` lets exceptions of its network, file and format layers through.
    except (OSError, ValueError, RuntimeError, TypeError, LookupError) as error:
        problem = " ".join(str(error).split())[:200]
        raise FormatError(
            f"{spec}: cannot be loaded ({problem}). Check the name, configuration and network."
        ) from error
    if dataset._indices is not None:
        dataset = dataset.flatten_indices()
    source = HubDataset(
        spec, dataset.data.table, f"{name}:{config}:{chosen}:{dataset._fingerprint}"
    )
    source.start_findings.extend(findings)
    return source
