"""`compress init --ci`: the CI's file beside a new project or one that is there."""

from pathlib import Path

import pytest

from compress.cli.main import code

INSTALL = ("--install", "compress @ git+https://example.com/owner/compress@v1")


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    exit_code = code([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return exit_code, captured.out, captured.err


@pytest.mark.parametrize(
    ("system", "file"), [("github", ".github/workflows/compress.yml"), ("gitlab", ".gitlab-ci.yml")]
)
def test_a_new_project_gets_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str, file: str) -> None:
    exit_code, out, _ = run(capsys, "init", tmp_path / "new", "--ci", system, *INSTALL)
    assert exit_code == 0
    assert f"Wrote {tmp_path / 'new' / file}. Next:" in out
    assert "compress baseline accept REPORT" in out
    assert (tmp_path / "new" / "pipeline.yaml").is_file()
    assert INSTALL[1] in (tmp_path / "new" / file).read_text()


def test_a_project_that_is_there_gets_it_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pipeline.yaml").write_text("name: mine\n")
    assert run(capsys, "init", tmp_path, "--ci", "github", *INSTALL)[0] == 0
    assert (tmp_path / "pipeline.yaml").read_text() == "name: mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".github", "pipeline.yaml"]


def test_what_would_do_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for unused in (("--force",), INSTALL):
        exit_code, _, err = run(capsys, "init", tmp_path / "new", *unused)
        assert exit_code == 2
        assert "say which, --ci github or --ci gitlab" in err
        assert not (tmp_path / "new").exists()
    (tmp_path / "pipeline.yaml").write_text("name: mine\n")
    exit_code, _, err = run(capsys, "init", tmp_path, "--ci", "github", *INSTALL, "--text", "said")
    assert exit_code == 2
    assert "give --ci alone" in err
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.yaml"]


def test_what_is_there_is_replaced_by_force_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("mine\n")
    exit_code, _, err = run(capsys, "init", tmp_path, "--ci", "gitlab", *INSTALL)
    assert exit_code == 2
    assert err.startswith(f"{tmp_path / '.gitlab-ci.yml'}: is there already. --force replaces it.")
    assert [path.name for path in tmp_path.iterdir()] == [".gitlab-ci.yml"]
    assert run(capsys, "init", tmp_path, "--ci", "gitlab", "--force", *INSTALL)[0] == 0
    assert "compress gate" in (tmp_path / ".gitlab-ci.yml").read_text()


def test_nothing_is_written_where_the_runners_would_not_find_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from compress.run import ci

    monkeypatch.setattr(ci, "_origin", lambda: None)
    exit_code, _, err = run(capsys, "init", tmp_path / "new", "--ci", "github")
    assert exit_code == 2
    assert "--install" in err
    assert not (tmp_path / "new").exists()
