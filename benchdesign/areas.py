"""Concepts grouped into a few dozen areas, the unit that reports lead with.

Single concepts are fragile: they differ between dictionaries. Areas come from the dictionary if it
has any. Otherwise themes that occur together (or have similar directions) are clustered, and each
term joins the area whose items it occurs in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchdesign.conceptmap import ConceptMap, sample_items
from benchdesign.dictionary import Dictionary
from benchdesign.gaps import STATUSES, Gaps, Status
from benchdesign.stats import adjust_p_values, poisson_tails

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["AreaGaps", "AreaRow", "Areas", "find_area_gaps", "group_areas"]

Floats = NDArray[np.float64]

_MOST_AREAS = 40
_LABELS_IN_NAME = 2
_WORDS_IN_NAME = 3
# fmt: off
_EMPTY_WORDS = frozenset({
    "all", "and", "any", "are", "but", "can", "for", "from", "had", "has", "have", "her",
    "his", "how", "its", "many", "much", "not", "one", "our", "she", "that", "the", "their",
    "them", "then", "there", "they", "this", "was", "what", "when", "where", "which", "who",
    "why", "will", "with", "you", "your",
})
# fmt: on
_KEYWORD = re.compile(r"[^\W\d_]{3,}")
_EFFECT_SHARE = 0.5
"""Share of `min_effect` that an area must reach: general concepts dilute every area."""

_ITEMS_ENOUGH = 50_000
"""Items sampled evenly from a larger set; clustering and dispersion need no more."""

_MOST_CLUSTERED_BY_TREE = 3_000
"""Most rows for Ward clustering, which needs all pairs; k-means clusters more rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """The areas, and the area of every concept."""

    names: tuple[str, ...]
    area_of: NDArray[np.int32]
    """(n_concepts,): position in `names`; -1 without an area."""

    origin: str = "dictionary"
    """`dictionary`, `themes`, `concepts` or `none`."""

    def __len__(self) -> int:
        """Count the areas."""
        return len(self.names)

    def members(self, area: int) -> NDArray[np.int64]:
        """Return the concept ids of an area, in ascending order."""
        return np.flatnonzero(self.area_of == area)

    def name_of(self, concept_id: int) -> str | None:
        """Return the name of a concept's area; None without an area."""
        area = int(self.area_of[concept_id])
        return None if area < 0 else self.names[area]


def group_areas(
    dictionary: Dictionary,
    *,
    concept_map: ConceptMap | Sequence[ConceptMap] | None = None,
    n_areas: int | None = None,
    directions: NDArray[np.float32] | None = None,
) -> Areas:
    """Group concepts by the dictionary's own areas, else by co-occurrence in the maps.

    `directions` are decoder rows (n_concepts, d), comparable within a level; they replace a missing
    map. Without areas in the dictionary, a map or directions, there are no areas.
    """
    n = dictionary.n_concepts
    if concept_map is not None:
        maps = [concept_map] if isinstance(concept_map, ConceptMap) else concept_map
        concept_map = sample_items(maps, _ITEMS_ENOUGH)
    with_area = [concept for concept, area in enumerate(dictionary.table.area) if area]
    if with_area:
        names = tuple(sorted({area for area in dictionary.table.area if area}))
        area_by_name = {name: area for area, name in enumerate(names)}
        area_of = np.full(n, -1, dtype=np.int32)
        area_of[with_area] = [
            area_by_name[dictionary.table.area[concept] or ""] for concept in with_area
        ]
        if concept_map is not None:
            area_of = _attach(area_of, len(names), concept_map, dictionary)
        return Areas(names, area_of, "dictionary")

    themes = np.asarray(
        [dictionary.levels[level].unit == "passage" for level in dictionary.table.level]
    )
    origin = "themes" if themes.any() else "concepts"
    candidates = themes if themes.any() else np.ones(n, dtype=bool)
    candidates &= np.asarray([not flags for flags in dictionary.table.flags])
    features = _features(concept_map, directions, dictionary)
    if features is None:
        return Areas((), np.full(n, -1, dtype=np.int32), "none")
    candidates &= np.linalg.norm(features, axis=1) > 0
    clustered = np.flatnonzero(candidates)
    if not len(clustered):
        return Areas((), np.full(n, -1, dtype=np.int32), "none")
    if not n_areas:
        n_areas = min(max(round(float(np.sqrt(len(clustered)))), 1), _MOST_AREAS)
    labels = _cluster(features[clustered], min(n_areas, len(clustered)))
    area_of = np.full(n, -1, dtype=np.int32)
    area_of[clustered] = labels
    if concept_map is not None:
        area_of = _attach(area_of, int(labels.max()) + 1, concept_map, dictionary)
    names = _names(dictionary, area_of, clustered, labels, features[clustered])
    return Areas(names, area_of, origin)


def _features(
    concept_map: ConceptMap | None,
    directions: NDArray[np.float32] | None,
    dictionary: Dictionary,
) -> Floats | None:
    """Return one vector per concept, similar within an area, 0 if unknown; None without data."""
    if concept_map is not None and len(concept_map) > 1:
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import svds

        presence = concept_map.presence(dictionary.table.threshold)
        # Scale columns and rows to length 1 (as in correspondence analysis), so that neither
        # frequent concepts nor long items dominate the clusters.
        per_concept = np.asarray(presence.sum(axis=0)).ravel()
        per_item = np.asarray(presence.sum(axis=1)).ravel()
        scaled = (
            diags_array(1 / np.sqrt(np.maximum(per_item, 1)))
            @ presence
            @ diags_array(1 / np.sqrt(np.maximum(per_concept, 1)))
        )
        rank = min(64, min(presence.shape) - 1)
        if rank >= 1 and presence.nnz:
            start = np.ones(min(presence.shape)) / np.sqrt(min(presence.shape))
            _, strength, right = svds(scaled.astype(np.float64), k=rank, v0=start)
            # The weakest axis is noise; subtract that much from every axis.
            signal = strength - (strength.min() if rank > 8 else 0.0)
            vectors = np.asarray(right.T * signal, dtype=np.float64)
            # One axis merely encodes the concept frequencies; project it out.
            frequency = np.sqrt(per_concept / max(float(per_concept.sum()), 1.0))
            vectors -= np.outer(frequency, frequency @ vectors)
            return _unit(vectors * (per_concept >= 2)[:, None])
    if directions is not None:
        return _unit(np.asarray(directions, dtype=np.float64))
    return None


def _membership(
    concept_ids: NDArray[np.int64],
    area: NDArray[np.int32],
    weight: Floats,
    n_concepts: int,
    n_areas: int,
) -> csr_array:
    """Return the (n_concepts, n_areas) sparse array of weights; sort concept ids first."""
    from scipy.sparse import csr_array

    row_ends = np.searchsorted(concept_ids, np.arange(n_concepts + 1))
    return csr_array((weight, area, row_ends.astype(np.int32)), shape=(n_concepts, n_areas))


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = np.where(lengths > 1e-12, vectors / np.maximum(lengths, 1e-12), 0.0)
    return unit


def _cluster(features: Floats, n_clusters: int) -> NDArray[np.int32]:
    """Return the cluster of each row; the largest cluster is number 0."""
    if n_clusters < 2:
        return np.zeros(len(features), dtype=np.int32)
    if len(features) <= _MOST_CLUSTERED_BY_TREE:
        from scipy.cluster.hierarchy import fcluster, linkage

        clusters = fcluster(linkage(features, "ward"), n_clusters, criterion="maxclust")
    else:
        from sklearn.cluster import MiniBatchKMeans

        clusters = MiniBatchKMeans(n_clusters, random_state=0, n_init=3).fit_predict(features)
    _, first, compact, sizes = np.unique(
        clusters, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[compact]


def _names(
    dictionary: Dictionary,
    area_of: NDArray[np.int32],
    concept_ids: NDArray[np.int64],
    clusters: NDArray[np.int32],
    features: Floats,
) -> tuple[str, ...]:
    """Name each area after its most central concepts, or after the keywords they share."""
    labels = dictionary.table.label
    present = [label for label in labels if label]
    # Keyword labels are too specific for an area; use the keywords that its concepts share.
    has_keywords = sum("," in label for label in present) > len(present) / 2
    words = _common_words(dictionary, area_of, int(clusters.max()) + 1) if has_keywords else None
    scores = np.nan_to_num(dictionary.table.label_score[concept_ids], nan=0.5)
    names: list[str] = []
    for cluster in range(int(clusters.max()) + 1):
        inside = np.flatnonzero(clusters == cluster)
        centre = features[inside].mean(axis=0)
        order = inside[np.argsort(-(features[inside] @ centre) * scores[inside], kind="stable")]
        central = dict.fromkeys(label for row in order if (label := labels[concept_ids[row]]))
        name = " · ".join(list(central)[:_LABELS_IN_NAME])
        if words is not None and words[cluster]:
            name = ", ".join(words[cluster])
        name = name or f"area {cluster + 1}"
        names.append(name if name not in names else f"{name} ({cluster + 1})")
    return tuple(names)


def _common_words(
    dictionary: Dictionary, area_of: NDArray[np.int32], n_areas: int
) -> list[list[str]]:
    """Return the keywords that distinguish each area's labels from those of all others."""
    inside: list[Counter[str]] = [Counter() for _ in range(n_areas)]
    for area, label in zip(area_of, dictionary.table.label, strict=True):
        if area >= 0 and label:
            inside[area].update(set(_KEYWORD.findall(label.lower())) - _EMPTY_WORDS)
    overall: Counter[str] = Counter()
    for counts in inside:
        overall.update(counts)
    words = []
    for counts in inside:
        # Rank by count times share: frequent in this area and rare elsewhere.
        ranked = sorted(counts, key=lambda word: (-(counts[word] ** 2) / overall[word], word))
        chosen: list[str] = []
        for word in ranked:
            # Keep one form of a word: eat, not both eat and eating.
            if not any(word.startswith(other) or other.startswith(word) for other in chosen):
                chosen.append(word)
            if len(chosen) == _WORDS_IN_NAME:
                break
        words.append(chosen)
    return words


def _attach(
    area_of: NDArray[np.int32], n_areas: int, concept_map: ConceptMap, dictionary: Dictionary
) -> NDArray[np.int32]:
    """Assign each concept without an area to the one it most co-occurs with beyond chance."""
    members = np.flatnonzero(area_of >= 0)
    unassigned = np.flatnonzero(
        (area_of < 0) & np.asarray([not flags for flags in dictionary.table.flags])
    )
    if not len(unassigned) or not len(members) or not len(concept_map):
        return area_of
    presence = concept_map.presence(dictionary.table.threshold)
    membership = _membership(
        members, area_of[members], np.ones(len(members)), len(area_of), n_areas
    )
    hits = (presence @ membership).toarray()
    shares = hits / np.maximum(hits.sum(axis=1, keepdims=True), 1)
    observed = presence.T @ shares
    count = np.asarray(presence.sum(axis=0)).ravel()
    expected = np.outer(count, shares.mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(expected > 0, (observed - expected) / np.sqrt(expected), 0.0)
    best = excess.argmax(axis=1)
    assigned = area_of.copy()
    certain = unassigned[excess[unassigned, best[unassigned]] > 1.0]
    assigned[certain] = best[certain]
    return assigned


@dataclass(frozen=True, slots=True)
class AreaRow:
    """One area, with everything a report shows of it."""

    area: int
    name: str
    status: Status
    n_concepts: int
    """Concepts that are not kept out."""

    n_by_status: dict[Status, int]
    lift: float
    """log2 of the observed over the expected weighted count; rare concepts weigh more."""

    q_value: float
    deficit: float

    @property
    def n_gaps(self) -> int:
        """Number of its concepts that are missing or under-covered."""
        return self.n_by_status[Status.MISSING] + self.n_by_status[Status.UNDER]


@dataclass(frozen=True, slots=True, eq=False)
class AreaGaps:
    """Status of every area; arrays are (n_areas,)."""

    areas: Areas
    status_codes: NDArray[np.int8]
    """Positions in `gaps.STATUSES`."""

    by_status: NDArray[np.int64]
    """(n_areas, n_statuses): concepts of each status."""

    lift: Floats
    q_value: Floats
    deficit: Floats
    """Standardised, corrected for the dependence between an area's concepts."""

    def __len__(self) -> int:
        """Count the areas."""
        return len(self.areas)

    def row(self, area: int) -> AreaRow:
        """Return one area as a row of a report."""
        counts = {status: int(self.by_status[area, code]) for code, status in enumerate(STATUSES)}
        return AreaRow(
            area,
            self.areas.names[area],
            STATUSES[int(self.status_codes[area])],
            sum(counts.values()) - counts[Status.KEPT_OUT],
            counts,
            float(self.lift[area]),
            float(self.q_value[area]),
            float(self.deficit[area]),
        )

    def rows(self) -> Iterator[AreaRow]:
        """Yield every area as a row, largest deficit first, excluded areas last."""
        kept_out = self.status_codes == STATUSES.index(Status.KEPT_OUT)
        return (self.row(int(area)) for area in np.lexsort((-self.deficit, kept_out)))


def find_area_gaps(
    areas: Areas,
    gaps: Gaps,
    *,
    concept_map: ConceptMap,
    reference_map: ConceptMap | None = None,
) -> AreaGaps:
    """Compute the status of every area from all its concepts together.

    The concepts of an area occur in the same items, so their counts overstate the number of
    independent observations. The overdispersion is measured on the reference's items, else on the
    benchmark's.
    """
    n_areas, n = len(areas), gaps.n_items
    judged = gaps.in_scope & (areas.area_of >= 0) & (gaps.expected > 0)
    ids = np.flatnonzero(judged)
    area = areas.area_of[ids]
    # Weight 1/sqrt(E) makes concepts equally informative; the floor limits the rarest concepts.
    weight = 1 / np.sqrt(np.maximum(gaps.expected[ids], 1.0))
    seen = np.bincount(area, weights=weight * gaps.count[ids], minlength=n_areas)
    expected = np.bincount(area, weights=weight * gaps.expected[ids], minlength=n_areas)
    spread = _dispersion(
        ids, area, weight, n_areas, reference_map or concept_map, gaps.coverage.thresholds
    )
    counts, expected_counts = seen / spread, expected / spread
    tails = poisson_tails(counts, expected_counts, exposure=n / max(gaps.coverage.n_reference, 1.0))
    has_expected = expected > 0
    floor = poisson_tails(
        np.zeros(n_areas), expected_counts, exposure=n / max(gaps.coverage.n_reference, 1.0)
    ).lower
    settings = gaps.settings
    testable = has_expected & (floor <= settings.fdr)
    q_under = adjust_p_values(np.where(testable, tails.lower, np.nan))
    q_over = adjust_p_values(np.where(has_expected, tails.upper, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.log2((counts + 0.5) / (expected_counts + 0.5))
        deficit = (expected_counts - counts) / np.sqrt(
            expected_counts * (1 + n / max(gaps.coverage.n_reference, 1.0))
        )
        lacking = (q_under <= settings.fdr) & (lift <= -_EFFECT_SHARE * settings.min_effect)
        excessive = (q_over <= settings.fdr) & (lift >= _EFFECT_SHARE * settings.min_effect)
    codes = np.full(n_areas, STATUSES.index(Status.UNTESTABLE), dtype=np.int8)
    members = areas.area_of >= 0
    by_status = np.zeros((n_areas, len(STATUSES)), dtype=np.int64)
    np.add.at(by_status, (areas.area_of[members], gaps.status_codes[members]), 1)
    excluded = by_status[:, STATUSES.index(Status.KEPT_OUT)] == by_status.sum(axis=1)
    for mask, status in (
        (testable, Status.ADEQUATE),
        (has_expected & excessive, Status.OVER),
        (testable & lacking, Status.UNDER),
        (testable & lacking & (seen == 0), Status.MISSING),
        (excluded, Status.KEPT_OUT),
    ):
        codes[mask] = STATUSES.index(status)
    return AreaGaps(
        areas=areas,
        status_codes=codes,
        by_status=by_status,
        lift=np.where(has_expected, lift, np.nan),
        q_value=np.where(counts > expected_counts, q_over, q_under),
        deficit=np.where(has_expected, deficit, 0.0),
    )


def _dispersion(
    ids: NDArray[np.int64],
    area: NDArray[np.int32],
    weight: Floats,
    n_areas: int,
    concept_map: ConceptMap,
    thresholds: NDArray[np.float32],
) -> Floats:
    """Return variance over mean of weighted item counts per area, at least the mean weight."""
    membership = _membership(ids, area, weight, concept_map.n_concepts, n_areas)
    concept_map = sample_items([concept_map], _ITEMS_ENOUGH)
    scores = concept_map.presence(thresholds) @ membership
    n = max(len(concept_map), 1)
    mean = np.asarray(scores.sum(axis=0)).ravel() / n
    square = np.asarray(scores.power(2).sum(axis=0)).ravel() / n
    mean_weight = np.bincount(area, weights=weight, minlength=n_areas) / np.maximum(
        np.bincount(area, minlength=n_areas), 1
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(mean > 0, (square - mean**2) / mean, 0.0)
    spread: Floats = np.maximum(ratio, np.where(mean_weight > 0, mean_weight, 1.0))
    return spread
