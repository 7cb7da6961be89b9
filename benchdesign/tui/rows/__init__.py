"""The rows of the lists."""
