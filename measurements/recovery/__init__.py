"""Parts of the model-gaps measurement: planted weaknesses, and what is recovered of them."""
