"""Text, paths, files, numbers and processes: nothing here knows about benchmarks."""
