"""Where models are weak, given their results on single items."""
