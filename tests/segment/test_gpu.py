import pytest

from edge.errors import ModelError
from edge.segment import gpu


class Driver:
    """As much of libcuda as is asked; it fails with `code`."""

    def __init__(self, *names: bytes, code: int = 0):
        self.names, self.code = names, code

    def cuInit(self, flags):
        return self.code

    def cuGetErrorName(self, code, text):
        text._obj.value = b"CUDA_ERROR_STUB_LIBRARY" if code == 34 else None

    def cuDeviceGetCount(self, number):
        number._obj.value = len(self.names)

    def cuDriverGetVersion(self, version):
        version._obj.value = 12060

    def cuDeviceGet(self, device, number):
        device._obj.value = number

    def cuDeviceGetName(self, name, size, device):
        name.value = self.names[device.value]

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = {75: 8, 76: 7}[attribute]


@pytest.fixture
def driver(monkeypatch):
    def install(*names, code=0):
        monkeypatch.setattr(gpu.ctypes, "CDLL", lambda _: Driver(*names, code=code))

    return install


def test_gpus_in_the_drivers_order(driver):
    driver(b"Orin", b"NVIDIA \xff")
    assert gpu.gpus() == [
        gpu.Gpu("Orin", "8.7", "12.6"),
        gpu.Gpu("NVIDIA \N{REPLACEMENT CHARACTER}", "8.7", "12.6"),
    ]


def test_a_driver_without_a_gpu(driver):
    driver(code=100)
    assert gpu.gpus() == []


@pytest.mark.parametrize(("code", "said"), [(34, "CUDA_ERROR_STUB_LIBRARY"), (999, "error 999")])
def test_a_driver_that_does_not_start(driver, code, said):
    driver(b"Orin", code=code)
    with pytest.raises(ModelError, match=f"^GPU: expected NVIDIA's driver to start, got {said}$"):
        gpu.gpus()


def test_no_driver(monkeypatch):
    def refuse(name):
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(gpu.ctypes, "CDLL", refuse)
    with pytest.raises(ModelError, match=r"^GPU: expected NVIDIA's driver, got libcuda\.so\.1: "):
        gpu.gpus()


@pytest.mark.gpu
def test_the_gpu_of_this_machine():
    found = gpu.gpus()
    assert found
    for each in found:
        assert each.name
        assert 3 <= float(each.capability) < 20
        assert float(each.driver) >= 10
