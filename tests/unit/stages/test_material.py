from pathlib import Path

import pytest

from compress.errors import NotAvailable
from compress.stages import material


def test_a_tokenizer_of_sentence_pieces_says_what_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spm.model").touch()
    monkeypatch.setattr(material, "find_spec", lambda name: None)
    with pytest.raises(
        NotAvailable, match=r"SentencePiece model \(spm.model\)\. .* `pip install sentencepiece protobuf`"
    ):
        material.tokenizer_of(tmp_path)
