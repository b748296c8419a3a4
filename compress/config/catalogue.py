"""Cards of teachers and students: one YAML file each, a project's own before the packaged ones."""

from pathlib import Path
from typing import Literal

from compress.config import source
from compress.errors import UnknownName

Kind = Literal["teachers", "students"]
_PACKAGE = Path(__file__).parent.parent


def folders(kind: Kind, root: Path) -> list[Path]:
    """Where cards are looked for, in order: the project at `root`, then the cards of this program."""
    checkout = _PACKAGE.parent / kind
    ours = checkout if (_PACKAGE.parent / "pyproject.toml").is_file() else _PACKAGE / "_catalogue" / kind
    return [root / kind, ours]


def cards(kind: Kind, root: Path) -> dict[str, Path]:
    """The file of every card by its name."""
    found: dict[str, Path] = {}
    for folder in folders(kind, root):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def card(kind: Kind, name: str, root: Path, where: str = "") -> Path:
    """The file of one card.

    Raises: UnknownName listing all cards.
    """
    known = cards(kind, root)
    if name not in known:
        raise UnknownName(f"{kind[:-1]} card", name, known, where)
    return known[name]


def index(kind: Kind, root: Path) -> str:
    """The README of a folder of cards: one table row a card."""
    rows = [(name, source.read(path).value) for name, path in sorted(cards(kind, root).items())]
    title, use = (
        ("Teachers", "teacher: {use: NAME}") if kind == "teachers" else ("Students", "students: {small: {use: NAME}}")
    )
    lines = [
        f"# {title}",
        "",
        f"One card a file; `{use}` in a pipeline takes one, and a card of the same name in your project's `{kind}/` comes first.",
        "",
        "| card | what it is | layers × hidden, heads, neurons | source |",
        "|---|---|---|---|",
    ]
    for name, card in rows:
        given, other = card.get("architecture", {}), "its weights'" if "model" in card else "teacher's"
        shape = [given.get(key, other) for key in ("layers", "hidden", "heads", "intermediate")]
        lines.append(
            f"| [{name}]({name}.yaml) | {card['title']} | {shape[0]} × {shape[1]}, {shape[2]}, {shape[3]} | {card['source']} |"
        )
    return "\n".join(lines) + "\n"
