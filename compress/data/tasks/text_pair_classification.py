"""One label for two texts."""

from dataclasses import replace

from compress.data.tasks.text_classification import text_classification

text_pair_classification = replace(text_classification, columns=("text", "text_pair", "label"))
"""One label for two texts, such as whether they say the same."""
