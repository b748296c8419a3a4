"""Bad input of every kind: no traceback, exit code 2 or 3 (0 where the harm is none), the place named, in bounded time."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import corpus, kinds
from fuzz.harness import Case, run


def check(case: Case) -> None:
    ended = run(case)
    assert not ended.faults, f"{case.about}: {ended.faults}\n{ended.said}"


@pytest.mark.parametrize("kind", kinds.KINDS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False))
def test_a_harmed_file_is_told(kind: str, random: Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(kinds.KINDS[kind](random, tmp_path_factory.mktemp("case")))


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_no_kind_is_refused_before_it_is_harmed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_harm", lambda *_: "nothing")
    if kind == "assignment":
        monkeypatch.setattr(kinds, "TOKENS", ("demo",))
    ended = [run(kinds.KINDS[kind](Random(seed), folder)) for seed, folder in enumerate(_folders(tmp_path, 6))]
    assert any(one.exit_code in (0, 1) for one in ended), ended


@pytest.mark.parametrize("kind", ["pipeline", "data", "report"])
@pytest.mark.parametrize("name", corpus.NAMES)
def test_the_corpus_is_told(kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_harm", lambda _random, path, _way: corpus.place(name, path) or f"{path.name}: {name}")
    check(kinds.KINDS[kind](Random(name), tmp_path))


def _folders(home: Path, count: int) -> list[Path]:
    folders = [home / str(number) for number in range(count)]
    for folder in folders:
        folder.mkdir()
    return folders
