"""The nine screens of the interface."""
