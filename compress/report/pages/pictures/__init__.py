"""The pictures of a report, as static SVG.

Drawn by Vega-Lite inside this process (vl-convert), without a network. Colours are those of `palette`, so that one
picture serves light and dark pages; nothing is told by colour alone.
"""
