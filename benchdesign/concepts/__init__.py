"""Concepts: their dictionaries, the maps of items onto them, training and labels."""
