"""The interface on a workspace mapped by words: `python -m tests.tui.keyword_app WORKSPACE`.

What is below runs again in the child process that computes, so both read items the same way.
"""

import sys

import pytest

from tests.keywords import use_keywords

use_keywords(pytest.MonkeyPatch())

if __name__ == "__main__":
    from benchdesign.tui.launch import run_interface

    run_interface(sys.argv[1])
