"""The interface on a workspace mapped by words: `python -m tests.tui.keyword_app WORKSPACE`.

What is below runs again in the child process that computes, so both read items the same way.
"""

import sys

import benchdesign.concepts.mapping
from tests.keywords import KeywordMapper

_mapper = KeywordMapper()
benchdesign.concepts.mapping.open_mapper = lambda *_, **__: _mapper  # type: ignore[assignment]
benchdesign.concepts.mapping.load_dictionary = lambda *_, **__: _mapper.dictionary  # type: ignore[assignment]

if __name__ == "__main__":
    from benchdesign.tui import run

    run(sys.argv[1])
