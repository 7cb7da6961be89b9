"""Reports on coverage, models and suites."""
