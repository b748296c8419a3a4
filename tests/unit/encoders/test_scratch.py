from pathlib import Path

import pytest
import tiny
import torch

from compress.config.settings import Scratch
from compress.encoders import families, widths
from compress.encoders.scratch import from_scratch
from compress.errors import InputError, UnknownName

SHAPE = {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 24}


def settings(family: str) -> Scratch:
    return Scratch.model_validate({"family": family, "architecture": SHAPE, "max_positions": 20})


@pytest.mark.parametrize(
    "family", [name for name, row in families.FAMILIES.items() if "scratch" not in dict(row.refuses)]
)
def test_every_family_can_be_made_of_any_shape_and_reads_as_far_as_asked(family: str, tmp_path: Path) -> None:
    tokenizer = tiny.tokenizer(tmp_path)
    made = from_scratch(settings(family), tokenizer, ("no", "yes"), seed=3)
    assert widths.shape_of(made.config) == (2, 16, (2, 2), (24, 24))
    assert widths.max_length(made.config) in (20, 2**63 - 1)
    again = from_scratch(settings(family), tokenizer, ("no", "yes"), seed=3)
    assert all(torch.equal(one, two) for one, two in zip(made.parameters(), again.parameters(), strict=True))
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
        batch = {name: values.clamp(max=len(tokenizer) - 1) for name, values in tiny.batch(made, 1, 20).items()}
        order = [0, *range(10, 20), *range(1, 10)]
        moved = {name: values[:, order] for name, values in batch.items()}
        answers, others = made.eval()(**batch).logits, made(**moved).logits
    assert answers.shape == (1, 2)
    assert not torch.allclose(answers, others, atol=1e-3), "it knows no positions"


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a mpnet model cannot be made from scratch: its code counts positions by"):
        from_scratch(settings("mpnet"), tiny.tokenizer(tmp_path), ("no", "yes"), seed=3)
    odd = settings("modernbert")
    odd = odd.model_copy(update={"architecture": odd.architecture.model_copy(update={"hidden": 6})})
    with pytest.raises(InputError, match=r"`hidden: 6` by `heads: 2` makes them 3 wide\. Give them an even width"):
        from_scratch(odd, tiny.tokenizer(tmp_path), ("no", "yes"), seed=3)
    with pytest.raises(UnknownName, match="no such family `bart`"):
        from_scratch(settings("bart"), tiny.tokenizer(tmp_path), ("no", "yes"), seed=3)
