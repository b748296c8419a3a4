"""The arithmetic of this machine."""

import pytest
import tiny
import torch

from compress.encoders.families import FAMILIES
from compress.training import precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_bf16": True}, "bf16"),
        ({"bf16": True, "neon": True}, "bf16"),
        ({"avx512_f": True, "avx512_bf16": False}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_auto_takes_bf16_where_it_is_native(
    found: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert precision.chosen("auto", CPU) == expected
    assert precision.chosen("fp32", CPU) == "fp32"
    assert precision.chosen("bf16", CPU) == "bf16"


def test_autocast_multiplies_in_the_precision() -> None:
    linear, rows = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with precision.autocast(CPU, "bf16"):
        assert linear(rows).dtype == torch.bfloat16
    with precision.autocast(CPU, "fp32"):
        assert linear(rows).dtype == torch.float32


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_everything_is_as_before_afterwards_and_fp32_is_fp32(asked: precision.Precision) -> None:
    before = torch.get_float32_matmul_precision()
    left = torch.randn(64, 96, generator=torch.Generator().manual_seed(0))

    def fail() -> None:
        with precision.repeatable(CPU, asked):
            assert torch.are_deterministic_algorithms_enabled()
            assert (left @ left.T - left.double() @ left.double().T).abs().max() < 1e-4
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_float32_matmul_precision() == before
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("family", FAMILIES)
def test_a_halved_model_answers_bit_for_bit_as_autocast_lets_it(family: str) -> None:
    model = tiny.model(family)
    with torch.no_grad(), precision.autocast(CPU, "bf16"):
        expected = model(**tiny.batch(model)).logits
        found = precision.halved(model)(**tiny.batch(model)).logits
    assert torch.equal(found, expected)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
