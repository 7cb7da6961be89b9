"""Bad files, made by script: each is refused in one line or loads with counted warnings.

`python -m tests.hostile.corpus FOLDER` writes them all, to try by hand or to feed a fuzzer.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Importing these registers their cases.
from tests.hostile import broken, places, texts, typed  # noqa: F401
from tests.hostile.cases import CASES, BadFile, Loads, Refused

__all__ = ["BY_NAME", "CASES", "BadFile", "Loads", "Refused"]

BY_NAME = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES), "two cases of one name"


def main(folder: Path) -> None:
    """Write every case into a folder of its own."""
    for number, case in enumerate(CASES):
        place = folder / f"{number:03d}"
        place.mkdir(parents=True)
        print(place, case.name, case.outcome, sep="\t")
        case.build(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
