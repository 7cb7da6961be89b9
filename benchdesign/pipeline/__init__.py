"""The stages in order, from files to a written revision."""
