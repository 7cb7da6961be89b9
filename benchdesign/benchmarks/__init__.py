"""Benchmarks and pools: their items, read from files and written back in the same form."""
