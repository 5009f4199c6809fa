"""What to install, where a Jetson needs other packages than a PC. Standard library only.

Below all else, so that what is said of a broken onnxruntime needs none.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")
# All of them: to take one away breaks another that is there, and pip thinks that it need not come.
_FIRST = (
    "`pip uninstall -y onnxruntime onnxruntime-gpu onnxruntime-openvino` first, as these packages "
    "own the same folder"
)
JETSON_WHEEL = (
    f"{_FIRST}, then install an onnxruntime-gpu wheel that was built for this JetPack "
    "(see docs/jetson.md)"
)
_BUILDS = {
    "gpu": f"install edgecount[gpu]: {_FIRST}, then `pip install 'onnxruntime-gpu[cuda,cudnn]'`",
    "openvino": f"install edgecount[openvino]: {_FIRST}, then `pip install onnxruntime-openvino`",
    "cpu": "install onnxruntime anew: `pip install --force-reinstall onnxruntime`",
}


def is_jetson(root: Path = ROOT) -> bool:
    """Whether this is a Jetson, also seen from inside a container.

    Args:
        root: folder to look in.
    """
    try:
        compatible = (root / "proc/device-tree/compatible").read_text(errors="replace")
    except OSError:
        compatible = ""
    return (root / "etc/nv_tegra_release").exists() or "nvidia,tegra" in compatible


def onnxruntime_with(provider: str, on_jetson: bool) -> str:
    """How to come by an onnxruntime that was built with a provider.

    Args:
        provider: tensorrt, cuda, openvino or cpu.
        on_jetson: as `is_jetson` finds it.

    >>> onnxruntime_with("openvino", False)[:27]
    'install edgecount[openvino]'
    >>> onnxruntime_with("cuda", True) == JETSON_WHEEL
    True
    """
    on_gpu = provider in ("tensorrt", "cuda")
    if on_gpu and on_jetson:
        return JETSON_WHEEL
    return _BUILDS["gpu" if on_gpu else provider]
