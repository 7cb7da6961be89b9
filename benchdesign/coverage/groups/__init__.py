"""Gap groups: similar items that a benchmark lacks, or has too many of."""
