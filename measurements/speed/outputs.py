"""The clock of a run, and its result as sums and peaks that can be compared."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchdesign.concepts.maps.concept_map import ConceptMap


class Clock:
    """Wall and CPU seconds since creation, and the memory peaks before and since."""

    def __init__(self) -> None:
        _finish_device()
        self.before = _peak_mb()
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def report(self, n_items: int, **more: Any) -> dict[str, Any]:
        """Return the rates and the peak memory of this process so far."""
        _finish_device()
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {
            "n_items": n_items,
            "items_per_second": n_items / wall,
            "items_per_cpu_second": n_items / cpu,
            "before_mb": self.before,
            "peak_mb": _peak_mb(),
            "device_mb": _device_mb(),
            **more,
        }


@dataclass
class Rows:
    """Sums and peaks of the concepts of items, collected window by window."""

    items: list[int] = field(default_factory=list)
    sums: list[Any] = field(default_factory=list)
    peaks: list[Any] = field(default_factory=list)

    def add(self, item: int, dense: Any) -> None:
        """Add the activations (n_tokens, n_concepts) of a window."""
        from scipy import sparse

        self.items.append(item)
        self.sums.append(sparse.csr_array(dense.sum(0)[None]))
        self.peaks.append(sparse.csr_array(dense.max(0)[None]))

    def save(self, path: Path, n_items: int) -> None:
        """Write sums and peaks (n_items, n_concepts) for `compare`."""
        from scipy import sparse

        width = self.sums[0].shape[1]
        sums = np.zeros((n_items, width), np.float32)
        peaks = np.zeros((n_items, width), np.float32)
        for item, one_sum, one_peak in zip(self.items, self.sums, self.peaks, strict=True):
            sums[item] += one_sum.toarray()[0]
            peaks[item] = np.maximum(peaks[item], one_peak.toarray()[0])
        sparse.save_npz(path.with_suffix(".sums.npz"), sparse.csr_array(sums))
        sparse.save_npz(path.with_suffix(".peaks.npz"), sparse.csr_array(peaks))


def save_map(concept_map: ConceptMap, path: Path) -> None:
    """Write a concept map in the format of `Rows.save`."""
    from scipy import sparse

    shape = (len(concept_map), concept_map.n_concepts)
    totals = concept_map.saliency * np.repeat(concept_map.n_tokens, np.diff(concept_map.indptr))
    for name, values in (("sums", totals), ("peaks", concept_map.peak)):
        rows = sparse.csr_array((values, concept_map.indices, concept_map.indptr), shape=shape)
        sparse.save_npz(path.with_suffix(f".{name}.npz"), rows)


def compare(ours: Path, other: Path) -> dict[str, float]:
    """Measure how far two methods differ on the concepts that both have (terms)."""
    from scipy import sparse

    agreement: dict[str, float] = {}
    for name in ("sums", "peaks"):
        right = sparse.load_npz(other.with_suffix(f".{name}.npz")).tocsr()
        left = sparse.load_npz(ours.with_suffix(f".{name}.npz")).tocsr()[:, : right.shape[1]]
        agreement[f"{name}_error"] = float(abs(left - right).sum() / abs(right).sum())
        n_shared = (left > 0).multiply(right > 0).nnz
        agreement["n_pairs"] = right.nnz
        agreement["pairs_in_both"] = n_shared / max(left.nnz, right.nnz)
    return agreement


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _device_mb() -> float:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.max_memory_allocated()) / 2**20


def _finish_device() -> None:
    """Wait until the GPU has finished."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
