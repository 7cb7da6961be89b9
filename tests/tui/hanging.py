"""A job that never ends and does not listen; runs in a child process."""

import signal
import time

from benchdesign.foundation.progress import Progress, ProgressCallback


def hang(folder: str, *, progress: ProgressCallback, output: str) -> None:
    """Say one thing, then nothing, whatever is asked."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    progress(Progress("mapping items", 1, 10))
    while True:
        time.sleep(60)
