"""The pages of text beside the lists."""
