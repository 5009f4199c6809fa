"""NVIDIA's GPUs as its driver names them, asked through libcuda, which a Jetson has too."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from edge.errors import ModelError

DRIVER = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # attributes of a device: its compute capability
_NO_DEVICE = 100


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU."""

    name: str
    capability: str  # such as 8.7
    driver: str  # the newest CUDA that its driver can run, such as 12.6


def gpus() -> list[Gpu]:
    """The GPUs of this machine, in the driver's order; empty if it has a driver but no GPU.

    Raises:
        ModelError: there is no driver, or it does not start; says why.
    """
    try:
        cuda = ctypes.CDLL(DRIVER)
    except OSError as error:
        raise ModelError(f"GPU: expected NVIDIA's driver, got {error}") from error
    code = cuda.cuInit(0)
    if code == _NO_DEVICE:
        return []
    if code:
        raise ModelError(f"GPU: expected NVIDIA's driver to start, got {_named(cuda, code)}")
    number, version = ctypes.c_int(), ctypes.c_int()
    cuda.cuDeviceGetCount(ctypes.byref(number))
    cuda.cuDriverGetVersion(ctypes.byref(version))
    driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return [_gpu(cuda, k, driver) for k in range(number.value)]


def _gpu(cuda: ctypes.CDLL, number: int, driver: str) -> Gpu:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(128)
    cuda.cuDeviceGet(ctypes.byref(device), number)
    cuda.cuDeviceGetName(name, len(name), device)
    parts = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int()
        cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        parts.append(str(value.value))
    return Gpu(name.value.decode(errors="replace"), ".".join(parts), driver)


def _named(cuda: ctypes.CDLL, code: int) -> str:
    text = ctypes.c_char_p()
    cuda.cuGetErrorName(code, ctypes.byref(text))
    return (text.value or b"").decode(errors="replace") or f"error {code}"
