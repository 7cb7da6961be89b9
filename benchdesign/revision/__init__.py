"""What a revision changes, and its manifest."""
