"""Map items to concepts: reference model, SAE encoding, pooling, caching."""
