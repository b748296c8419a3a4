"""Harmed files and the commands that must take them well. Run by `test_fuzz.py` here and by `benchmarks/fuzz.py`."""
