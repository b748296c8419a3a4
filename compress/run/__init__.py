"""A pipeline as an ordered list of stages: what would run and why, and running it."""
