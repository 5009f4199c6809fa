from __future__ import annotations

import pytest

from edge.installing import is_jetson, onnxruntime_with


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3", True),
        ("proc/device-tree/compatible", "nvidia,p3768\0nvidia,tegra234\0", True),
        ("proc/device-tree/compatible", "raspberrypi,5-model-b\0", False),
        ("etc/os-release", "NAME=Debian", False),
    ],
)
def test_what_a_jetson_is_known_by(name, content, expected, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert is_jetson(tmp_path) is expected


@pytest.mark.parametrize("on_jetson", [True, False])
@pytest.mark.parametrize("provider", ["tensorrt", "cuda", "openvino"])
def test_another_onnxruntime_takes_the_place_of_the_plain_one(provider, on_jetson):
    told = onnxruntime_with(provider, on_jetson)
    assert told.index("`pip uninstall -y onnxruntime ") < told.index(", then ")
    assert ("JetPack" in told) == (on_jetson and provider != "openvino")
    assert "; " not in told  # which parts what is wrong from what to do
