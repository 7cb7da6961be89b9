"""Items to concept maps: reference model, SAE encoding, pooling, caching."""
