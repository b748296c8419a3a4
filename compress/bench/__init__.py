"""Timing, peak memory and the description of the machine that was measured."""
