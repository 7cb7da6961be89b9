"""Widgets that know nothing of benchmarks beyond what they are given to show."""
