"""What an open workspace holds while the interface runs."""
