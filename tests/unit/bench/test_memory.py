import json
import os
from pathlib import Path

import numpy
import pytest

from compress.bench import memory
from compress.errors import CompressError, MachineLimit

TARGET = '''
"""A target whose model is a number of megabytes that it keeps."""
import json
from pathlib import Path
import numpy

class Fake:
    def open(self, file, settings, *, threads):
        if settings.get("fails"):
            raise RuntimeError("no such runtime here")
        held = numpy.ones(int(Path(file).read_text()) * 10**6, dtype=numpy.uint8)
        def session(feeds):
            Path(settings["log"]).open("a").write(json.dumps({name: array.tolist() for name, array in feeds.items()}) + f" {threads}\\n")
            return held[:1]
        session.close = lambda: None
        return session

fake = Fake()
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A target of a third party, found by its entry point in the measuring process."""
    (tmp_path / "faketarget.py").write_text(TARGET)
    info = tmp_path / "faketarget-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faketarget\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[compress.targets]\nfake = faketarget:fake\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_the_peak_counts_what_the_model_holds(plugin):
    log = plugin / "log"
    feeds = [{"input_ids": numpy.array([[1, 2]]), "mask": numpy.array([[1, 0]])}, {"input_ids": numpy.array([[3]])}]
    (plugin / "small").write_text("1")
    (plugin / "large").write_text("200")
    small = memory.peak_bytes("fake", plugin / "small", {"log": str(log)}, feeds, 3)
    assert log.read_text().splitlines() == ['{"input_ids": [[1, 2]], "mask": [[1, 0]]} 3', '{"input_ids": [[3]]} 3']
    large = memory.peak_bytes("fake", plugin / "large", {"log": str(log)}, feeds, 3)
    assert 150e6 < large - small < 250e6


@pytest.mark.skipif(os.name != "posix", reason="needs a parent's memory to be handed on")
def test_the_parents_memory_is_not_counted(plugin):
    held = numpy.ones(400 * 10**6, dtype=numpy.uint8)
    (plugin / "model").write_text("1")
    assert memory.peak_bytes("fake", plugin / "model", {"log": str(plugin / "log")}, [], 1) < held.nbytes


def test_a_target_that_fails_is_an_error_with_its_last_words(plugin):
    with pytest.raises(CompressError, match="exit status 1: RuntimeError: no such runtime here"):
        memory.peak_bytes("fake", plugin / "model", {"fails": True}, [], 1)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_process_that_is_killed_is_told_as_a_lack_of_memory(plugin):
    (plugin / "faketarget.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    with pytest.raises(
        MachineLimit, match="model with fake: its process was killed, as systems do when memory runs out"
    ):
        memory.peak_bytes("fake", plugin / "model", {}, [], 1)


def test_a_target_that_hangs_is_stopped(plugin):
    (plugin / "faketarget.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(CompressError, match="longer than 2 s"):
        memory.peak_bytes("fake", plugin / "model", {}, [], 1, timeout_s=2)


def test_the_process_prints_one_line_of_json(plugin, capsys, monkeypatch):
    monkeypatch.setattr(memory, "TARGETS", type("Targets", (), {"load": staticmethod(lambda name: Opened())}))
    numpy.savez(plugin / "feeds.npz", **{"0/input_ids": numpy.zeros((1, 2))})
    memory.main(["any", "model", "{}", str(plugin / "feeds.npz"), "1"])
    printed = json.loads(capsys.readouterr().out)
    assert 0 <= printed["before"] <= printed["peak"]
    assert Opened.fed == [["input_ids"]]


class Opened:
    fed: list = []  # noqa: RUF012

    def open(self, file, settings, *, threads):
        assert file == Path("model")
        return self

    def __call__(self, feeds):
        self.fed.append(list(feeds))

    def close(self):
        pass
