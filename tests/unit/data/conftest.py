import os
from pathlib import Path

import pytest


@pytest.fixture
def data_sets():
    """The folder of real data sets, one folder each."""
    if "COMPRESS_DATA" not in os.environ:
        pytest.skip("COMPRESS_DATA does not name a folder of data sets")
    return Path(os.environ["COMPRESS_DATA"])
