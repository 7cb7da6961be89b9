"""The version of the program, for every file that it writes."""

__version__ = "0.1.0"
