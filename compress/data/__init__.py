"""Rows of text and labels: where they come from, how they are cut to length and put into batches."""
