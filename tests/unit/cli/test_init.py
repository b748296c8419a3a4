"""`compress init`: a project from data files, and the CI's file beside it or beside one that is there."""

from pathlib import Path

import project
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


def test_init_writes_a_project_that_check_understands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, first in (("train", 0), ("dev", 40)):
        (tmp_path / f"{name}.tsv").write_text(project.rows(40, first).replace("text", "sentence", 1))
    folder = tmp_path / "My Project"
    arguments = ["init", folder, "--train", tmp_path / "train.tsv", "--validation", tmp_path / "dev.tsv"]
    assert run(capsys, *arguments)[0] == 0
    assert run(capsys, "check", folder / "pipeline.yaml") == (0, "my-project: no mistakes found.\n", "")
    exit_code, _, err = run(capsys, *arguments)
    assert exit_code == 2
    assert "is there already" in err


def test_init_without_data_says_where_to_put_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, out, _ = run(capsys, "init", tmp_path / "new")
    assert exit_code == 0
    assert "put train.tsv, validation.tsv and test.tsv" in out
    exit_code, _, err = run(capsys, "check", tmp_path / "new" / "pipeline.yaml")
    assert exit_code == 2
    assert "there is no file" in err


@pytest.mark.parametrize("name", ["2024", "true", "1e5", "a b"])
def test_init_quotes_what_yaml_would_misread(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(capsys, "init", tmp_path / name)[0] == 0
    err = run(capsys, "check", tmp_path / name / "pipeline.yaml")[2]
    assert ": name" not in err


def given(folder: Path, train: str, name: str = "train.tsv") -> list[str | Path]:
    (folder / name).write_text(train)
    return ["init", folder / "new", "--train", folder / name, "--validation", folder / name]


def test_init_takes_files_without_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = given(tmp_path, project.rows(40).split("\n", 1)[1])
    exit_code, _, err = run(capsys, *arguments)
    assert exit_code == 2
    assert f"{tmp_path / 'train.tsv'}:1: no column `text` and no column `label`; there is `light`, `turn on" in err
    assert "--columns label,text" in err
    assert not (tmp_path / "new").exists()
    assert run(capsys, *arguments, "--columns", "label,text,room")[0] == 0
    assert run(capsys, "check", tmp_path / "new" / "pipeline.yaml")[0] == 0


def test_init_takes_columns_of_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = given(tmp_path, '"Größe","what, then"\nbig,one\nsmall,two\n', "train.csv")
    assert run(capsys, *arguments, "--label", "Größe")[0] == 2
    assert run(capsys, *arguments, "--label", "Größe", "--text", "what, then")[0] == 0
    assert run(capsys, "check", tmp_path / "new" / "pipeline.yaml")[0] == 0
    exit_code, _, err = run(capsys, "init", tmp_path / "other", "--columns", "a,b")
    assert exit_code == 2
    assert err.startswith("--columns: no column `text` and no column `label`; there is `a`, `b`.")


@pytest.mark.parametrize("columns", ["label,", "label, ,text", "", "text,label,text", "text, text"])
def test_init_refuses_empty_and_double_names(tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: str) -> None:
    exit_code, _, err = run(capsys, "init", tmp_path / "new", "--columns", columns)
    assert exit_code == 2
    assert err.startswith(f"--columns {columns}: a name is empty or there twice.")


def test_init_takes_names_with_blanks_between(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = given(tmp_path, project.rows(40).split("\n", 1)[1])
    assert run(capsys, *arguments, "--columns", "label, text, room")[0] == 0
    assert run(capsys, "check", tmp_path / "new" / "pipeline.yaml")[0] == 0


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "the file is empty"),
        ("\n", "the file is empty, or begins with an empty line."),
        ("sentence\tlabel\n", "no column `text`; there is `sentence`, `label`."),
        ("text\tlabel\ttext\n", "several columns `text`; there is `text`, `label`, `text`."),
        (None, "there is no such file."),
    ],
)
@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_init_looks_at_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, fault: str, suffix: str
) -> None:
    files = {
        "--train": tmp_path / "train.tsv",
        "--validation": tmp_path / f"dev.{suffix}",
        "--test": tmp_path / "t.tsv",
    }
    files["--train"].write_text(project.rows(8))
    for name in ("--validation", "--test"):
        if content is not None:
            files[name].write_text(content.replace("\t", "," if files[name].suffix == ".csv" else "\t"))
    exit_code, _, err = run(capsys, "init", tmp_path / "new", *(part for pair in files.items() for part in pair))
    assert exit_code == 2
    lines = err.splitlines()
    assert len(lines) == 3
    for line, name in zip(lines, ("--validation", "--test"), strict=False):
        assert line.startswith(f"{files[name]}:1: {fault}" if content is not None else f"{name} {files[name]}: {fault}")
    assert lines[2] == "2 errors, nothing was run."
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("option", ["--train", "--validation", "--test"])
def test_init_wants_training_and_validation_rows_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    (tmp_path / "rows.tsv").write_text(project.rows(8))
    exit_code, _, err = run(capsys, "init", tmp_path / "new", option, tmp_path / "rows.tsv")
    assert exit_code == 2
    assert err.startswith(f"{option} without --")
    assert err.endswith("give both.\n1 error, nothing was run.\n")
    assert not (tmp_path / "new").exists()


def test_init_leaves_nothing_behind_where_it_cannot_write_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "reports").write_text("a file")
    assert run(capsys, "init", tmp_path / "old")[0] == 2
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["reports"]

    from compress.cli import init

    def full(path: Path, text: str) -> None:
        if path.name == "pipeline.yaml":
            raise OSError(28, "No space left on device", str(path))
        path.write_text(text)

    monkeypatch.setattr(init, "write_text", full)
    exit_code, _, err = run(capsys, "init", tmp_path / "deep" / "new")
    assert exit_code == 4
    assert err.startswith(f"{tmp_path / 'deep' / 'new' / 'pipeline.yaml'}: No space left on device (")
    assert err.endswith(" are free). Make room there; then the same command goes on.\n")
    assert not (tmp_path / "deep").exists()
