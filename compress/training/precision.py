"""The arithmetic that training uses on this machine."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)

Precision = Literal["bf16", "fp32"]


def native_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bf16 products, so that they are faster than fp32 ones."""
    if device.type == "cpu":
        found: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(found.get("amx_bf16") or found.get("avx512_bf16") or found.get("bf16") or found.get("sve_bf16"))
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return False


def chosen(asked: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
    """The precision that a setting means on a device."""
    if asked == "auto":
        return "bf16" if native_bf16(device) else "fp32"
    return asked


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """A context in which forward passes multiply in the precision; weights, norms' sums and losses stay fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def halved(model: Model) -> Model:
    """A copy whose Linears are in bf16, as `autocast` makes them anew in each forward pass of a model that is not trained.

    The same answers to the last bit, without that work.
    """
    made = copy.deepcopy(model)
    for module in made.modules():
        if type(module) is nn.Linear:  # one with a forward pass of its own is not cast
            module.to(torch.bfloat16)
    return made


@contextmanager
def repeatable(device: torch.device, precision: Precision) -> Iterator[None]:
    """While the context lasts, the processor gives the same numbers each time, by its fastest true fp32 products.

    Other devices are left as they are: bit-for-bit repetition is promised on processors only.
    """
    if device.type != "cpu":
        yield
        return
    memory: Any = torch.utils.deterministic
    products, fill = torch.get_float32_matmul_precision(), memory.fill_uninitialized_memory
    strict, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        if precision == "fp32" and _medium_is_exact():
            torch.set_float32_matmul_precision("medium")
        torch.use_deterministic_algorithms(True)
        memory.fill_uninitialized_memory = False
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.use_deterministic_algorithms(strict, warn_only=warn)
        memory.fill_uninitialized_memory = fill


@cache
def _medium_is_exact() -> bool:
    """Whether PyTorch's "medium" products are true fp32 on this processor.

    "medium" lets oneDNN multiply, twice as fast as MKL on AMD processors; where there is AMX it multiplies in bf16.
    """
    before = torch.get_float32_matmul_precision()
    left = torch.linspace(-1, 1, 128 * 384).sin().view(128, 384)
    exact = left.double() @ left.double().T
    try:
        torch.set_float32_matmul_precision("medium")
        error = (left @ left.T - exact).abs().max() / exact.abs().max()
    finally:
        torch.set_float32_matmul_precision(before)
    return bool(error < 1e-5)
