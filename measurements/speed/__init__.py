"""Parts of the mapping-speed measurement: the items, the models and the ways to map."""
