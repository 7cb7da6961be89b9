"""Parts of the latency measurement: timed key presses, and single parts of the interface."""
