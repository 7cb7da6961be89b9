"""Concept dictionaries: a table of concepts and the weights of their encoders."""
