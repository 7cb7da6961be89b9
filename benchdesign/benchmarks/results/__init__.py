"""Results of models on single items, from the logs of evaluation tools."""
