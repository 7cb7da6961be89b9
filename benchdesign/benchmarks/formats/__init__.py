"""Files and datasets that benchmarks come in, and how they are written back."""
