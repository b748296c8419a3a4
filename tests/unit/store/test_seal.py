"""Seals: a change of any byte, in them or in what they vouch for, is noticed and named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import InputError
from compress.store import seal

CONTENT = {"key": "große Läufe", "numbers": [1, 2.5e-07, None, True], "inner": {"a": "b"}}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)))
    path = tmp_path / "complete.seal"
    seal.write(path, {**CONTENT, "files": seal.facts(tmp_path, ["weights.bin"])})
    return path


def test_what_is_whole_is_read(sealed: Path) -> None:
    assert seal.fault(sealed) is None
    told = seal.kept(sealed, lambda *_: pytest.fail("nothing is damaged"))
    assert told is not None
    assert {key: told[key] for key in CONTENT} == CONTENT
    assert seal.kept(sealed.with_name("none.seal"), lambda *_: pytest.fail("nothing was there")) is None


def test_every_byte_of_a_seal_counts(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for position in range(len(whole)):
        for flip in (1, 32, 128):
            broken = bytearray(whole)
            broken[position] ^= flip
            sealed.write_bytes(broken)
            assert str(sealed) in str(seal.fault(sealed)), (position, flip)
        sealed.write_bytes(whole[:position])
        assert str(sealed) in str(seal.fault(sealed)), position
    sealed.write_bytes(whole + b"\n")
    assert str(sealed) in str(seal.fault(sealed))


@pytest.mark.parametrize("value", ["NaN", "1e999", r'"\ud800"'])
def test_values_that_no_seal_has_are_a_change(sealed: Path, value: str) -> None:
    sealed.write_text(sealed.read_text().replace('"große Läufe"', value))
    assert str(sealed) in str(seal.fault(sealed))


def test_every_byte_of_a_file_counts(sealed: Path) -> None:
    file = sealed.with_name("weights.bin")
    whole = file.read_bytes()
    for position in range(len(whole)):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert seal.fault(sealed) == f"{file} has been changed (its SHA-256 differs)"
        file.write_bytes(whole[:position])
        assert seal.fault(sealed) == f"{file} has {position} bytes, not 256"


def test_what_is_damaged_is_told_and_not_read_again(sealed: Path) -> None:
    sealed.with_name("weights.bin").unlink()
    told: list[tuple[int, int, str]] = []
    assert seal.kept(sealed, lambda *news: told.append(news)) is None
    assert told == [(0, 0, f"{sealed.with_name('weights.bin')} is missing: dropped, and made anew")]
    assert not sealed.exists()


def test_what_stands_behind_a_growing_file_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "states.bin").write_bytes(b"12345")
    files = seal.facts(tmp_path, ["states.bin"])
    seal.write(tmp_path / "plain.seal", {"files": files})
    seal.write(tmp_path / "grows.seal", {"files": {"states.bin": {**files["states.bin"], "grows": True}}})
    (tmp_path / "states.bin").write_bytes(b"12345678")
    assert "has 8 bytes, not 5" in str(seal.fault(tmp_path / "plain.seal"))
    assert seal.fault(tmp_path / "grows.seal") is None
    (tmp_path / "states.bin").write_bytes(b"12344678")
    assert "has been changed" in str(seal.fault(tmp_path / "grows.seal"))


def test_a_seal_vouches_for_nothing_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    (tmp_path / "in").mkdir()
    seal.write(tmp_path / "in" / "a.seal", {"files": {"../secret": {"size": 0, "sha256": ""}}})
    assert "leads out of" in str(seal.fault(tmp_path / "in" / "a.seal"))


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(lambda key: key not in ("files", "sha256")),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.just("ü\n"),
            lambda value: st.lists(value) | st.dictionaries(st.just("a"), value),
            max_leaves=8,
        ),
    )
)
def test_any_content_comes_back(tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.seal"
    seal.write(path, content)
    assert seal.content(path) == content


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"sha256": null}', '{"sha256": "x", "files": 3}'])
def test_other_json_is_no_seal(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.seal").write_text(text)
    with pytest.raises(InputError, match=r"a\.seal"):
        seal.content(tmp_path / "a.seal")
