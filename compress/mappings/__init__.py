"""Which teacher layer each student layer learns from: one rule a file, named in YAML by the file's name.

A rule takes the two numbers of layers and gives one teacher layer, counted from 0, for each student layer.
"""
