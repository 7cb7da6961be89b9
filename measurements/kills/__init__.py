"""Parts of the measurement of faults: the work that is killed, and the checks after it."""
