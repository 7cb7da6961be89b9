"""Which items to add and which to remove."""
