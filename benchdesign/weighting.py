"""Which concepts to probe first because models look weak there and it is not settled yet.

Turns per-item results into an `Emphasis` for the choice of additions, and keeps what a person
should know about it: whose results, how good the models are, where they are weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.gains import Emphasis
from benchdesign.modelgaps import ModelGaps, measure_models, probe_weights
from benchdesign.scoring import ModelSettings

if TYPE_CHECKING:
    from benchdesign.areas import Areas
    from benchdesign.conceptmap import ConceptMap
    from benchdesign.dictionary import Dictionary
    from benchdesign.items import Benchmark

__all__ = ["PROBED", "ModelWeighting", "WeighedModel", "weigh_by_models"]

Floats = NDArray[np.float64]

PROBED = 0.5
"""Weight from which an item that shows a concept is said to probe a weakness."""

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class WeighedModel:
    """One model whose results decided."""

    name: str
    overall: float
    n_items: int
    weak: tuple[str, ...]
    """Where it is weak: areas, then concepts, the first few."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelWeighting:
    """What the results of models ask of the pool."""

    weights: Floats
    """(n_concepts,): 0 where nothing speaks for a weakness, 1 where most does."""

    wanted: Floats
    """(n_concepts,): items more that would show a gap of 10 points at 80% power."""

    models: tuple[WeighedModel, ...]
    files: tuple[str, ...]
    """As they were given."""

    @property
    def emphasis(self) -> Emphasis:
        """Return what the choice of additions needs."""
        return Emphasis(self.weights, self.wanted)

    def strongest(self, dictionary: Dictionary, *, n: int = 10) -> tuple[str, ...]:
        """Name the concepts that weigh most."""
        order = np.argsort(-self.weights, kind="stable")[: 4 * n]
        # Several concepts may go by one name.
        names = (dictionary.label(int(one)) for one in order if self.weights[one] > 0)
        return tuple(dict.fromkeys(names))[:n]


def weigh_by_models(
    files: Sequence[str],
    benchmark: Benchmark,
    benchmark_map: ConceptMap,
    dictionary: Dictionary,
    *,
    areas: Areas,
    metrics: Sequence[str] = (),
    seed: int = 0,
) -> ModelWeighting:
    """Read results on a benchmark and weigh every concept by how weak models may be there."""
    from benchdesign.formats.results import load_results

    joined = load_results(files, benchmark, metrics=metrics)
    results = measure_models(
        benchmark_map,
        joined.scores,
        dictionary,
        rng=np.random.default_rng(seed),
        areas=areas,
        settings=ModelSettings(n_bootstrap=0),
    )
    weights, wanted = probe_weights(results)
    return ModelWeighting(weights, wanted, tuple(map(_weighed, results)), tuple(files))


def _weighed(one: ModelGaps) -> WeighedModel:
    weak = [area.name for area, _ in one.profile()]
    weak += [group[0].name for group in one.other_groups()]
    return WeighedModel(one.model, one.overall, one.n_items, tuple(weak[:_MOST_NAMED]))
