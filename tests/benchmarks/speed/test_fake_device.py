"""The device without a GPU: what it knows, refuses and adds up.

Each check is in a process of its own, because torch keeps the device to the end of a process.
"""

from collections.abc import Callable

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

from benchmarks.speed.decoding.measure import fresh
from benchmarks.speed.qwen.fake_device import NAME, UnknownValueError, stand_in

pytestmark = pytest.mark.long


def look_into_tensors() -> None:
    with stand_in():
        ids = torch.tensor([3, 7, 7, 1], device=NAME)
        weights = torch.randn(4, 8, device=NAME, requires_grad=True)
        assert isinstance(ids, FakeTensor)
        assert not isinstance(torch.arange(3), FakeTensor)  # the host's stay real
        assert (ids * 2)[1:].tolist() == [14, 14, 2]
        assert int((ids == 7).sum()) == 2
        picked = weights[ids == 7]
        assert picked.shape == (2, 8)
        picked.sum().backward()
        assert weights.grad is not None
        assert weights.grad.device.type == NAME
        assert str(float(weights.sum())) == "nan"
        with pytest.raises(UnknownValueError, match=r"asks for torch.bool"):
            bool((weights > 0).any())
        counts = torch.zeros(4, device=NAME)
        first = counts[:2]
        assert counts.tolist() == [0.0] * 4
        first.add_(weights.detach()[0, 0])  # a view of it, so it is unknown as a whole
        assert str(counts.tolist()) == "[nan, nan, nan, nan]"


def mix_devices() -> None:
    with stand_in():
        weights = torch.randn(4, 8, device=NAME)
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            weights + torch.randn(4, 8)


def add_up() -> None:
    with stand_in() as meter:
        one = torch.empty(1000, 10, device=NAME)
        part = one[:10]
        assert meter.num_bytes == 40_000
        product = one.bfloat16() @ torch.empty(10, 500, device=NAME, dtype=torch.bfloat16)
        assert meter.peak_bytes == 40_000 + 20_000 + 10_000 + 1_000_000
        assert meter.num_bytes == 40_000 + 1_000_000
        del one, product
        assert meter.num_bytes == 40_000  # the part holds the whole
        del part
        assert meter.num_bytes == 0


def cast() -> None:
    with stand_in(), torch.autocast(NAME, dtype=torch.bfloat16):
        layer = torch.nn.Linear(8, 3, device=NAME)
        out = layer(torch.randn(4, 8, device=NAME))
        assert out.dtype == torch.bfloat16
        assert out.softmax(-1).dtype == torch.float32
        out.float().sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.grad.dtype == torch.float32


def peaks_of_attention() -> list[int]:
    """Returns the peaks with a mask, with fewer heads of keys, and with both."""
    return [peak_of_attention(*one) for one in ((28, True), (4, False), (4, True))]


def peak_of_attention(num_heads_of_keys: int, has_mask: bool) -> int:
    """Returns how much memory it takes to attend, forward and backward, in bytes."""
    length = 1000
    with stand_in() as meter:
        queries, keys, values = (
            torch.empty(1, heads, length, 128, device=NAME, dtype=torch.bfloat16)
            for heads in (28, num_heads_of_keys, num_heads_of_keys)
        )
        queries.requires_grad_()
        mask = torch.zeros(length, length, device=NAME, dtype=torch.bfloat16) if has_mask else None
        torch.nn.functional.scaled_dot_product_attention(
            queries, keys, values, mask, is_causal=mask is None, enable_gqa=num_heads_of_keys < 28
        ).sum().backward()
        return meter.peak_bytes


@pytest.mark.parametrize("check", [look_into_tensors, mix_devices, add_up, cast])
def test_the_device_does_as_a_gpu_would(check: Callable[[], None]) -> None:
    fresh(check)


def test_only_a_mask_with_fewer_heads_of_keys_holds_all_scores() -> None:
    scores = 28 * 1000 * 1000 * 4
    masked, fewer, both = fresh(peaks_of_attention)
    assert max(masked, fewer) < scores / 2
    assert both > scores
