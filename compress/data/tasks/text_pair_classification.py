"""One label for two texts."""

from dataclasses import replace

from compress.data.tasks.text_classification import text_classification

text_pair_classification = replace(text_classification, pairs=True)
"""One label for two texts, such as whether they say the same. A model gives it as it does for one text."""
