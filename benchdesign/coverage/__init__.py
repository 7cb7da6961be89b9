"""What a benchmark covers and what it lacks."""
