from pathlib import Path

import graphs
import pytest
import torch

from compress.encoders import checkpoint
from compress.errors import InputError
from compress.targets import Extent
from compress.targets.pytorch import pytorch

EXTENT = Extent(1, 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoint.save(graphs.model(), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_a_call_runs_on_the_sessions_threads_and_closing_gives_the_old_number_back(folder: Path) -> None:
    before = torch.get_num_threads()
    one, two = pytorch.open(folder, {}, threads=1), pytorch.open(folder, {}, threads=2)
    one(graphs.feeds())
    assert torch.get_num_threads() == 1
    two(graphs.feeds())
    assert torch.get_num_threads() == 2
    two.close()
    one.close()
    assert torch.get_num_threads() == before


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no checkpoint folder: it has no config\.json"):
        pytorch.build(tmp_path / "empty", "fp32", tmp_path / "out", extent=EXTENT, options={})
    assert not (tmp_path / "out").exists()


def test_what_was_built_before_is_replaced(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "exported" / "pytorch"
    out.mkdir(parents=True)
    (out / "old.txt").write_text("old")
    assert pytorch.build(folder, "fp32", out, extent=EXTENT, options={}) == {}
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in folder.iterdir())
