"""A device that has shapes, types and memory, and computes nothing: a stand-in for a GPU.

Tensors on it are torch's fake ones, so a model of any size fits. A tensor that was left on the CPU
raises, as it does beside a GPU. What trainers look into (ids, labels, masks, sizes of pictures) is
computed on the CPU as well, where it follows from what the CPU sent; weights are never known, and
so neither is what a model makes of them.

Torch without CUDA cannot fake the device `cuda`: autograd and autocast of 2.13 ask for its driver.
So this is torch's device for other backends, and what a GPU does in two places is written here:
autocast, and the choice of an attention kernel.
"""

import math
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map_only

NAME = "stand_in"
"""Name of the device in torch."""
BFLOAT16_OPS = (
    "addmm", "baddbmm", "bmm", "conv1d", "conv2d", "conv3d", "einsum", "linear", "matmul", "mm",
    "scaled_dot_product_attention",
)  # fmt: skip
FLOAT32_OPS = (
    "exp", "layer_norm", "log", "logsumexp", "nll_loss", "pow.Tensor_Scalar", "reciprocal",
    "rms_norm", "rsqrt",
)  # fmt: skip
FLOAT32_SUMS = ("cumsum", "log_softmax.int", "softmax.int", "sum", "sum.dim_IntList")
"""Operations that autocast computes in one type, of those that models here use.

Source: ATen/autocast_mode.h of torch 2.13. It keeps casts of float32 weights until the forward pass
ends; here, they are kept as long as a gradient needs them.
"""
TWIN = "host_twin"
"""Attribute of a tensor on the device with its values, if they are known."""
ATEN, PRIM = torch.ops.aten, torch.ops.prim
NUMBERS = (ATEN._local_scalar_dense.default, ATEN.equal.default, ATEN.is_nonzero.default)
INDEXED = (
    ATEN.index.Tensor,
    ATEN.index_put.default,
    ATEN.index_put_.default,
    ATEN._index_put_impl_.default,
)
"""Operations whose indices may be masks."""
AUTOCAST, AUTOGRAD = "AutocastPrivateUse1", "AutogradPrivateUse1"


class _Backend:
    """Module of the device, as far as torch and the trainers ask for it."""

    def is_available(self) -> bool:
        """Returns that there is a device."""
        return True

    is_initialized = is_available

    def device_count(self) -> int:
        """Returns how many there are."""
        return 1

    def current_device(self) -> int:
        """Returns which one is used."""
        return 0

    def _is_in_bad_fork(self) -> bool:
        return False

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """Returns the types that autocast takes."""
        return [torch.bfloat16]

    def get_rng_state(self, *_: Any) -> Tensor:
        """Returns nothing to restore."""
        return torch.empty(0, dtype=torch.uint8)

    def do_nothing(self, *_: Any) -> None:
        """Does nothing: nothing is random, late or cached."""

    set_rng_state = manual_seed_all = synchronize = empty_cache = do_nothing


_libraries: list[Any] = []
"""Registrations, which end with their objects."""


def add_device() -> None:
    """Adds the device to torch, for the rest of this process."""
    if _libraries:
        return
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
    library: Any = torch.library
    others = library.Library("_", "IMPL", AUTOCAST)
    others.fallback(library.fallthrough_kernel)
    aten = library.Library("aten", "IMPL")
    for names, cast in (
        (BFLOAT16_OPS, partial(_cast_to, torch.bfloat16)),
        (FLOAT32_OPS, partial(_cast_to, torch.float32)),
        (FLOAT32_SUMS, _sum_in_float32),
    ):
        for name in names:
            packet, _, overload = name.partition(".")
            function = getattr(getattr(ATEN, packet), overload or "default")
            aten.impl(name, partial(cast, function), AUTOCAST)
    aten.impl("scaled_dot_product_attention", _attend_as_cuda, AUTOGRAD)
    _libraries.extend([others, aten])


def _without_autocast() -> Any:
    return torch._C._ExcludeDispatchKeyGuard(
        torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, AUTOCAST))
    )


def _cast_to(dtype: torch.dtype, function: Callable[..., Any], *args: Any, **given: Any) -> Any:
    """Calls a function with its floats in a type."""

    def cast(one: Any) -> Any:
        if not isinstance(one, FakeTensor) or one.dtype == dtype or not one.is_floating_point():
            return one
        return one.to(dtype)

    with _without_autocast():
        args = tuple(map(cast, args))
        return function(*args, **{name: cast(one) for name, one in given.items()})


def _sum_in_float32(function: Callable[..., Any], *args: Any, **given: Any) -> Any:
    """Calls a function that has its own argument for the type."""
    with _without_autocast():
        if args[0].is_floating_point() and given.get("dtype") is None:
            given["dtype"] = torch.float32
        return function(*args, **given)


def _attend_as_cuda(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Attends with the kernel that torch 2.13 would choose on an A100.

    Flash takes no mask, and the memory-efficient kernel no fewer heads of keys; what neither takes
    holds all scores. Without gradients, the first two make their result and nothing else.

    Source: ATen/native/transformers/cuda/sdp_utils.cpp, and `preprocess_mask` in attention.cpp.
    """
    is_flash = attn_mask is None and query.dtype == torch.bfloat16
    is_efficient = not is_flash and query.shape[1] == key.shape[1]
    needs_sums = torch.is_grad_enabled() and any(one.requires_grad for one in (query, key, value))
    if not is_flash and not is_efficient:
        return ATEN._scaled_dot_product_attention_math(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )[0]
    if not needs_sums:
        rows, heads, tokens, _ = query.shape
        size = value.shape[-1]
        strides = (tokens * heads * size, size, heads * size, 1)
        return query.new_empty_strided((rows, heads, tokens, size), strides)
    if is_flash:
        return ATEN._scaled_dot_product_flash_attention(
            query, key, value, dropout_p, is_causal, scale=scale
        )[0]
    if attn_mask is not None:
        length = attn_mask.shape[-1]
        if attn_mask.stride(-2) % 8:
            attn_mask = torch.nn.functional.pad(attn_mask, (0, 8 - length % 8))[..., :length]
        attn_mask = attn_mask.expand(*query.shape[:3], length)
    return ATEN._scaled_dot_product_efficient_attention(
        query, key, value, attn_mask, needs_sums, dropout_p, is_causal, scale=scale
    )[0]


class UnknownValueError(RuntimeError):
    """Something on the device was looked into that depends on weights."""


class Meter:
    """Adds up the memory of the device's tensors, in bytes."""

    def __init__(self) -> None:
        self.num_bytes = 0
        self.peak_bytes = 0
        self._alive: dict[int, Any] = {}

    def count(self, tensor: Tensor) -> None:
        """Adds the memory of a tensor, until it is freed."""
        storage, key = tensor.untyped_storage(), _key(tensor)
        if key in self._alive:
            return
        size = storage.nbytes()
        self._alive[key] = weakref.finalize(storage, self._free, key, size)
        self._alive[key].atexit = False
        self.num_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.num_bytes)

    def _free(self, key: int, size: int) -> None:
        del self._alive[key]
        self.num_bytes -= size

    def forget_peak(self) -> None:
        """Starts to look for another peak."""
        self.peak_bytes = self.num_bytes


class KnownValues(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs the host's operations as they are, and the device's on fake tensors.

    A tensor of the device is known if it follows from what the host sent, and then has a twin on
    the host.
    """

    def __init__(self, meter: Meter, fakes: FakeTensorMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._meter, self._fakes = meter, fakes
        self._spoiled: set[int] = set()

    def twin(self, tensor: Any) -> Any:
        """Returns the values of a tensor, if they are known."""
        if not isinstance(tensor, FakeTensor):
            return tensor
        twin: Tensor | None = getattr(tensor, TWIN, None)
        return None if twin is None or _key(twin) in self._spoiled else twin

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation."""
        if func is PRIM.device.default:
            return args[0].fake_device
        kwargs = kwargs or {}
        tensors = _tensors((*args, *kwargs.values()))
        goes_to = kwargs.get("device")
        goes_to = None if goes_to is None else torch.device(goes_to).type
        if goes_to != NAME and not any(isinstance(one, FakeTensor) for one in tensors):
            with _disable_current_modes():
                return func(*args, **kwargs)
        is_known = not _is_arbitrary(func) and None not in map(self.twin, tensors)
        if goes_to == "cpu" or _tells_host(func, args):
            return self._tell_host(func, args, kwargs, is_known)
        known = self._on_host(func, args, kwargs) if is_known else None
        if is_known and torch.Tag.dynamic_output_shape in func.tags:
            made = tree_map_only(Tensor, lambda one: torch.empty_like(one, device=NAME), known)
        else:
            if not is_known and func._schema.is_mutable:
                self._spoil(func, args, kwargs)
            if not is_known and func in INDEXED:
                args = self._with_places(args)
            if not all(isinstance(one, FakeTensor) for one in tensors):
                args = tree_map_only(Tensor, _faked, args)
            made = func(*args, **kwargs)
        self._pair(made, known)
        self._fakes.fake_tensor_converter.tensor_memo.clear()  # it keeps `Module.to` from moving
        return made

    def _on_host(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Returns what an operation makes of known values."""
        args, kwargs = tree_map_only(Tensor, self.twin, (args, kwargs))
        args, kwargs = tree_map_only(torch.device, lambda _: torch.device("cpu"), (args, kwargs))
        with _disable_current_modes():
            return func(*args, **kwargs)

    def _tell_host(self, func: Any, args: Any, kwargs: Any, is_known: bool) -> Any:
        """Returns what the host is told: what is known, or nan for a float that is not.

        Raises:
            UnknownValueError: it is no float.
        """
        if is_known:
            return self._on_host(func, args, kwargs)
        if func is ATEN.copy_.default:
            asked, into = args[1], args[0]
        else:
            asked, into = args[0], None
        if not asked.is_floating_point():
            raise UnknownValueError(f"{func} asks for {asked.dtype} that depend on weights")
        if func is ATEN._local_scalar_dense.default:
            return math.nan
        with _disable_current_modes():
            if into is not None:
                return into.fill_(math.nan)
            return torch.full(asked.shape, math.nan, dtype=kwargs.get("dtype") or asked.dtype)

    def _spoil(self, func: Any, args: Any, kwargs: Any) -> None:
        """Forgets known values that something unknown is written into."""
        for place, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            given = args[place] if place < len(args) else kwargs.get(argument.name)
            for one in tree_flatten(given)[0]:
                twin = getattr(one, TWIN, None)
                if twin is not None and _key(twin) not in self._spoiled:
                    self._spoiled.add(_key(twin))
                    weakref.finalize(twin.untyped_storage(), self._spoiled.discard, _key(twin))

    def _with_places(self, args: Any) -> Any:
        """Returns arguments with places instead of the masks that an index may be."""

        def places(index: Any) -> Any:
            if not isinstance(index, Tensor) or index.dtype != torch.bool:
                return [index]
            twin = self.twin(index)
            if twin is None:
                raise UnknownValueError("a mask depends on weights")
            with _disable_current_modes():
                found = twin.nonzero(as_tuple=True)
            return [torch.empty_like(one, device=NAME) for one in found]

        return tuple(
            [at for index in one for at in places(index)] if isinstance(one, list) else one
            for one in args
        )

    def _pair(self, made: Any, known: Any) -> None:
        """Counts the memory of new tensors, and keeps their values."""
        made, known = (one if isinstance(one, list | tuple) else (one,) for one in (made, known))
        for index, one in enumerate(made):
            if isinstance(one, FakeTensor) and one.fake_device.type == NAME:
                self._meter.count(one)
                if index < len(known) and known[index] is not None:
                    setattr(one, TWIN, known[index])


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """Returns the tensors among the arguments of an operation, and in their lists."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [one for one in value if isinstance(one, Tensor)]
    return found


def _faked(tensor: Tensor) -> Tensor:
    """Returns a tensor of the host as a fake one, which is no constant to torch."""
    if isinstance(tensor, FakeTensor):
        return tensor
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")


def _key(tensor: Tensor) -> int:
    """Returns the place of a tensor's memory, which its views share."""
    return int(tensor.untyped_storage()._cdata)


def _is_arbitrary(func: Any) -> bool:
    """Returns whether an operation makes values that nothing determines."""
    return torch.Tag.nondeterministic_seeded in func.tags or "empty" in func._schema.name


def _tells_host(func: Any, args: Any) -> bool:
    """Returns whether the result is a number, or is copied into a tensor of the host."""
    return func in NUMBERS or (func is ATEN.copy_.default and not isinstance(args[0], FakeTensor))


def _list(tensor: Tensor) -> Any:
    """Lists a known tensor at once: torch's fake ones ask for one element after the other."""
    return tensor.cpu().tolist()


@contextmanager
def stand_in() -> Iterator[Meter]:
    """Lets torch use the device, and returns what adds up its memory."""
    add_device()
    meter, fakes = Meter(), FakeTensorMode(allow_non_fake_inputs=True)
    only_cpu = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # `torch.tensor` makes them there, then moves them
    try:
        with mock.patch.object(FakeTensor, "tolist", _list), fakes, KnownValues(meter, fakes):
            yield meter
    finally:
        torch._C._set_only_lift_cpu_tensors(only_cpu)
