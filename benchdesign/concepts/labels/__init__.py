"""Labels of concepts: read, written by models, and scored."""
