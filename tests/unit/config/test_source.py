"""Reading YAML with places."""

from pathlib import Path

import pytest

from compress.config.source import merge, override, parse, read
from compress.errors import InputError


def test_values_follow_yaml_1_2() -> None:
    document = parse("rate: 2e-5\nanswer: no\nday: 2020-01-01\nnothing:\n", "x.yaml")
    assert document.value == {"rate": 2e-5, "answer": "no", "day": "2020-01-01", "nothing": None}


def test_places_are_the_lines_of_the_keys() -> None:
    document = parse("a: 1\n\nb:\n  c: [1,\n    2]\n", "x.yaml")
    assert document.place(("b", "c")) == "x.yaml:4"
    assert document.place(("b", "c", 1)) == "x.yaml:5"
    assert document.where(("b", "unknown")) == "x.yaml:3: b.unknown"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "x.yaml:2: the key `a` is written twice. Keep one."),
        ("- 1\n", "x.yaml:1: the top of the file must be `key: value` lines."),
        ("", "x.yaml:1: the top of the file must be `key: value` lines."),
        ("a: *b\n", "x.yaml:1: not YAML: found undefined alias 'b'."),
    ],
)
def test_what_is_not_a_mapping_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse(text, "x.yaml")
    assert str(error.value) == message


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InputError, match=r"x\.yaml:2: not UTF-8"):
        read(path, "x.yaml")


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(InputError, match="too many or too deeply nested"):
        parse("\n".join(lines), "x.yaml")


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 3000, "a:\n" + "- " * 3000, "{a: " * 3000, "a: [" + "1," * 300_000 + "1]"],
)
def test_what_is_too_much_is_refused_before_all_of_it_is_read(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.yaml:[12]: too many or too deeply nested"):
        parse(text, "x.yaml")


@pytest.mark.parametrize("text", ["a: !!float x\n", "a: " + "9" * 5000, "<<: 1\n", "a: !!timestamp z\n", "a: \x1b\n"])
def test_values_that_the_reader_stumbles_over_are_told(text: str) -> None:
    with pytest.raises(InputError, match=r"^x\.yaml.*: not YAML"):
        parse(text, "x.yaml")


def test_tagged_values_are_plain_ones() -> None:
    assert parse("a: !!python/object/apply:os.system [id]\n", "x.yaml").value == {"a": ["id"]}


def test_assignments_are_yaml_and_keep_their_place() -> None:
    document = override(parse("a:\n  b: 1\nc: [1, 2]\n", "x.yaml"), ["a.b=2e-5", "c.0=x", "d.e={f: [1]}"])
    assert document.value == {"a": {"b": 2e-5}, "c": ["x", 2], "d": {"e": {"f": [1]}}}
    assert document.where(("a", "b")) == "--set a.b: a.b"


def test_all_wrong_assignments_are_reported_at_once() -> None:
    with pytest.raises(InputError) as error:
        override(parse("a: 1\n", "x.yaml"), ["a", "a.b=1", "a=[", "c=1"])
    assert [problem.where for problem in error.value.problems] == ["--set a", "--set a.b=1", "--set a=["]


def test_merging_goes_mapping_by_mapping_but_for_what_is_taken_whole() -> None:
    below = parse("a: {x: 1, y: 2}\nb: {x: 1}\n", "card.yaml")
    above = parse("a: {y: 3}\nb: {z: 1}\n", "pipeline.yaml")
    merged = merge(below, above, [("b",)])
    assert merged.value == {"a": {"x": 1, "y": 3}, "b": {"z": 1}}
    assert merged.place(("a", "x")) == "card.yaml:1"
    assert merged.place(("a", "y")) == "pipeline.yaml:1"
    assert merged.place(("b", "x")) == "pipeline.yaml:2"
