"""Parts of the planted-gap measurement: the sets, the draws, the rankings and the scores."""
