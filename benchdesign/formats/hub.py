"""Datasets of the Hugging Face hub: the only reader that uses the network, and only when asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchdesign.errors import FormatError, MissingExtraError
from benchdesign.formats.source import Record
from benchdesign.formats.splits import choose_split
from benchdesign.formats.tables import TableSource

__all__ = ["HubDataset", "open_hub"]


class HubDataset(TableSource):
    """One split of a hub dataset; written as Parquet, the hub's own form."""

    format = "hub"
    suffix = ".parquet"

    def __init__(self, spec: str, table: Any, fingerprint: str) -> None:
        super().__init__(Path(spec.replace("/", "--").replace(":", "-")))
        self._table = table
        self._fingerprint = fingerprint

    @property
    def sha256(self) -> str:
        """Digest of the library's fingerprint of the data: there is no file to digest."""
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
            for table in self.selected(rows):
                out.write_table(table)
            if added:
                out.write_table(self.table_of(added))


def open_hub(spec: str, *, split: str | None = None) -> HubDataset:
    """Open `hf:owner/name` or `hf:owner/name:config`; downloads what is not cached."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("Reading hub datasets needs: pip install datasets") from error
    name, _, config = spec.removeprefix("hf:").partition(":")
    if not name or name.startswith(("/", ".")) or name.count("/") > 1:
        raise FormatError(
            f"{spec}: not a hub dataset. Write hf:owner/name or hf:owner/name:config."
        )
    try:
        names = datasets.get_dataset_split_names(name, config or None)
        chosen, findings = choose_split(list(names), split, spec)
        loaded = datasets.load_dataset(name, config or None, split=chosen)
    except FormatError:
        raise
    # The library raises what its network, file and format layers raise; all mean the same here.
    except (OSError, ValueError, RuntimeError, TypeError, LookupError) as error:
        problem = " ".join(str(error).split())[:200]
        raise FormatError(
            f"{spec}: cannot be loaded ({problem}). Check name, configuration and network."
        ) from error
    if loaded._indices is not None:
        loaded = loaded.flatten_indices()
    source = HubDataset(spec, loaded.data.table, f"{name}:{config}:{chosen}:{loaded._fingerprint}")
    source.start_findings.extend(findings)
    return source
