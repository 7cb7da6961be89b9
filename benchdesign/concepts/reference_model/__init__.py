"""The transformer whose activations are read."""
