"""Writes train.tsv, validation.tsv and test.tsv beside this script from grammar.toml, the same bytes every time.

Usage: python examples/voice_commands/generate.py [folder]
"""

import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).resolve().parent
SEED = 20
SLOT = re.compile(r"\{(\w+)\}")
CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
HAS_COMMAND = ("set_reminder", "send_message")


@dataclass(frozen=True)
class Split:
    """How one file is spoken. Shares lie between 0 and 1.

    `new_phrases` and `new_slots` say how often something is drawn from what training never says.
    """

    name: str
    rows: int
    new_phrases: float = 0.0
    new_slots: float = 0.0


SPLITS = (Split("train", 4000), Split("validation", 1000), Split("test", 2000, new_phrases=0.17, new_slots=0.4))

TWO_ACTIONS = 0.27  # share of rows that take something back or forbid it
OPPOSITE = 0.3  # share of those whose other action is the intent's nearest opposite
REMARK = 0.3  # share of phrases that are no command
OPENER, CLOSER, HESITATION = 0.35, 0.15, 0.2
DROPPED, DOUBLED, MISHEARD = 0.02, 0.015, 0.06  # per word
SHORT = 5  # texts of fewer words lose none: too little would be left
WRITTEN = 0.1  # share of rows with capitals and a full stop


class Speaker:
    """Says what one split's speakers say."""

    def __init__(self, grammar: dict[str, Any], split: Split, seed: int) -> None:
        self.grammar = grammar
        self.intents: dict[str, dict[str, Any]] = grammar["intents"]
        self.split = split
        self.random = Random(f"{split.name} {seed}").random  # of Random's methods, the one that never changes

    def chance(self, share: float) -> bool:
        return self.random() < share

    def pick(self, options: Sequence[str]) -> str:
        return options[int(self.random() * len(options))]

    def draw(self, table: dict[str, list[str]], new: float) -> str:
        return self.pick(table["new"] if self.chance(new) else table["shared"])

    def fill(self, pattern: str, own: dict[str, Callable[[], str]]) -> str:
        """Takes one of each (a|b) and puts words into each {slot}; `own` goes before the grammar's slots."""
        text = CHOICE.sub(lambda found: self.pick(found[1].split("|")), pattern)

        def word(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return own[name]()
            return self.fill(self.draw(self.grammar["slots"][name], self.split.new_slots), own)

        return SLOT.sub(word, text)

    def phrase(self, intent: str, kind: str) -> str:
        pattern = self.draw(self.intents[intent][kind], self.split.new_phrases)
        return self.fill(pattern, {"command": lambda: self.phrase(self.other(intent, HAS_COMMAND), "commands")})

    def any_phrase(self, intent: str) -> str:
        return self.phrase(intent, "remarks" if self.chance(REMARK) else "commands")

    def other(self, intent: str, but: Sequence[str] = ()) -> str:
        return self.pick([name for name in self.intents if name != intent and name not in but])

    def one_action(self, intent: str) -> str:
        if self.chance(REMARK):
            return self.phrase(intent, "remarks")
        command = self.phrase(intent, "commands")
        if self.chance(OPENER):
            return f"{self.draw(self.grammar['openers'], self.split.new_phrases)} {command}"
        return command

    def two_actions(self, intent: str) -> str:
        wrong = self.intents[intent]["opposite"] if self.chance(OPPOSITE) else self.other(intent)
        return self.fill(
            self.draw(self.grammar["frames"], self.split.new_phrases),
            {
                "right": lambda: self.phrase(intent, "commands"),
                "wrong": lambda: self.phrase(wrong, "commands"),
                "any_right": lambda: self.any_phrase(intent),
                "any_wrong": lambda: self.any_phrase(wrong),
            },
        )

    def hear(self, text: str) -> str:
        """What a speech recogniser makes of the text: words lost, doubled or misheard, and hesitations kept."""
        words: list[str] = []
        said = text.split()
        for word in said:
            if len(said) >= SHORT and self.chance(DROPPED):
                continue
            misheard = self.grammar["misheard"].get(word)
            words.append(self.pick(misheard) if misheard and self.chance(MISHEARD) else word)
            if self.chance(DOUBLED):
                words.append(words[-1])
        if self.chance(HESITATION):
            place = int(self.random() * (len(words) + 1))
            words.insert(place, self.draw(self.grammar["hesitations"], self.split.new_phrases))
        return " ".join(words)

    def say(self, intent: str) -> str:
        text = self.two_actions(intent) if self.chance(TWO_ACTIONS) else self.one_action(intent)
        if self.chance(CLOSER):
            text = f"{text} {self.draw(self.grammar['closers'], self.split.new_phrases)}"
        text = self.hear(text)
        return f"{text[:1].upper()}{text[1:]}." if self.chance(WRITTEN) else text


def plain(text: str) -> str:
    """The text without case and full stop: two rows that differ in those alone count as one."""
    return text.lower().rstrip(".")


def rows(speaker: Speaker, seen: set[str]) -> list[tuple[str, str]]:
    """The split's (label, text) rows, labels in turn, none of whose texts was `seen`; adds them to it."""
    intents = list(speaker.intents)
    made: list[tuple[str, str]] = []
    while len(made) < speaker.split.rows:
        intent = intents[len(made) % len(intents)]
        text = speaker.say(intent)
        if text and plain(text) not in seen:
            seen.add(plain(text))
            made.append((intent, text))
    return sorted(made, key=lambda _: speaker.random())


def generate(folder: Path) -> None:
    """Writes the three files into the folder."""
    grammar = tomllib.loads((HERE / "grammar.toml").read_text(encoding="utf-8"))
    seen: set[str] = set()
    for split in SPLITS:
        lines = [f"{label}\t{text}\n" for label, text in rows(Speaker(grammar, split, SEED), seen)]
        content = "".join(["label\ttext\n", *lines])
        (folder / f"{split.name}.tsv").write_bytes(content.encode("utf-8"))


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
