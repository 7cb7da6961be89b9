"""Concept maps: which concepts each item shows, and where."""
