"""A report becomes a baseline whole or not at all, without its rows' texts, and what it replaces is said."""

from pathlib import Path

import pytest
import sample

from compress.config import settings
from compress.errors import InputError
from compress.report import record
from compress.report.gate.verdict import judge
from compress.report.record import Row
from compress.run import baseline

SHOWN = {"rows": (Row(row=3, text="a private sentence"),)}


def test_it_is_a_report_that_a_gate_compares_with(tmp_path: Path) -> None:
    made = sample.record(rows=200)
    done = baseline.accept(made.model_copy(update=SHOWN), tmp_path)
    assert [file.name for file in done.files] == ["voice-commands.json", "voice-commands.md", "voice-commands.svg"]
    assert sorted(tmp_path.iterdir()) == sorted(done.files)
    written = record.load(done.files[0])
    assert written == made.model_copy(update={"rows": ()})
    assert judge(made, settings.Gate(), written).checks
    assert "](voice-commands.svg)" in done.files[1].read_text()
    assert done.files[2].read_text().startswith("<svg")
    assert all("a private sentence" not in file.read_text() for file in done.files)
    assert (done.replaced, done.against) == (None, None)


def test_what_it_replaces_is_compared_with(tmp_path: Path) -> None:
    before = sample.record().model_copy(update={"rows": ()})
    baseline.accept(before, tmp_path)
    worse = sample.record(
        variants=tuple(
            one.model_copy(update={"size_bytes": 2 * one.size_bytes}) if one.id == "onnxruntime-int8" else one
            for one in before.variants
        )
    )
    done = baseline.accept(worse, tmp_path)
    assert done.replaced == before
    assert done.against is not None
    assert done.against.answer == "fail"
    assert "size.max_ratio" in [check.name for check in done.against.checks if check.answer == "fail"]
    assert record.load(done.files[0]) == done.made
    lines = list(baseline.changes(done.made, done.replaced))
    assert (
        "tiny onnxruntime-int8: accuracy 89.83 % → 89.83 %, size 4.56 MB → 9.12 MB, median 0.290 ms → 0.290 ms" in lines
    )


def test_changes_name_what_came_and_went() -> None:
    whole = sample.record()
    part = sample.record(
        variants=tuple(one for one in whole.variants if (one.model, one.precision) != ("tiny", "fp16"))
    )
    assert "tiny onnxruntime-fp16: no longer there" in list(baseline.changes(part, whole))
    assert "tiny onnxruntime-fp16: new" in list(baseline.changes(whole, part))


def test_latency_of_another_machine_is_no_change() -> None:
    here = sample.record()
    there = sample.record(machine=here.machine.model_copy(update={"machine_class": "another"}))
    assert not any("median" in line for line in baseline.changes(here, there))


def test_other_data_is_not_comparable(tmp_path: Path) -> None:
    baseline.accept(sample.record(), tmp_path)
    other = sample.record().data.model_copy(update={"test": record.Split(rows=600, sha256="other rows")})
    done = baseline.accept(sample.record(data=other, gate=settings.Gate()), tmp_path)
    assert done.against is not None
    assert done.against.answer == "not comparable"


@pytest.mark.parametrize("name", ["", "..", "../up", "a/b", ".hidden", "Upper", "x" * 65, "a\n"])
def test_a_name_stays_a_file_in_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="a baseline's name"):
        baseline.accept(sample.record(), tmp_path / "reports", name)
    assert not (tmp_path / "reports").exists()


def test_what_is_no_report_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "voice-commands.json").write_text("{}")
    with pytest.raises(InputError, match="not a report of this program"):
        baseline.accept(sample.record(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["voice-commands.json"]


def test_a_full_disk_leaves_the_old_baseline_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = baseline.accept(sample.record(), tmp_path)
    before = {file: file.read_bytes() for file in done.files}

    def full(_record: object, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(baseline.record, "save", full)
    with pytest.raises(OSError, match="No space left"):
        baseline.accept(sample.record(seed=8), tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
