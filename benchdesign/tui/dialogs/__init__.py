"""Dialogs of the interface."""
