"""Colours of the pictures: drawn for a light page, with the rules that turn each one into its dark counterpart."""

INK = "#1b1f24"
MUTED = "#5b6470"
LINE = "#d5dae1"
SURFACE = "#fdfdfc"
SERIES = ("#1f5fc4", "#b4500b", "#0b7766", "#8440bd", "#8f6400", "#b82a63")
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"

DARK = {
    INK: "#e9ebee",
    MUTED: "#a2abb8",
    LINE: "#3b424c",
    SURFACE: "#16191d",
    **dict(zip(SERIES, ("#86b3ff", "#ffa266", "#56d3bb", "#cba2ff", "#e3ba62", "#ff94bb"), strict=True)),
}


def series(number: int) -> str:
    """The colour of a series; they come again after the last."""
    return SERIES[number % len(SERIES)]


def dark_rules(scope: str = "") -> str:
    """CSS for a dark page: every colour of the palette inside `scope` becomes its dark counterpart."""
    rules = (
        f'{scope}[fill="{light}"]{{fill:{dark}}}{scope}[stroke="{light}"]{{stroke:{dark}}}'
        for light, dark in DARK.items()
    )
    return "".join(rules)
