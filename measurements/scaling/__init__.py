"""Parts of the measurement of scale: the sets, made without a model."""
