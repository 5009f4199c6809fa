"""Export RF-DETR-Seg (Roboflow, code and weights Apache-2.0) to ONNX for `edge models add`.

It runs in an environment of its own, without edgecount (5 GB, with torch):

    python3 -m venv venv-rfdetr
    venv-rfdetr/bin/pip install 'rfdetr[onnx]==1.11.2'
    venv-rfdetr/bin/python scripts/export_rfdetr.py --size nano

The weights, trained on COCO, are downloaded by the package rfdetr from its authors. `--weights
FILE` takes a checkpoint of your own; its class names go into the file. `--weights none` makes a
model of random weights, to try the way.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

OPSET = 17
SIZES = ("nano", "small", "medium", "large")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="nano")
    parser.add_argument("--weights", default="coco", metavar="coco|none|FILE", help="default: coco")
    parser.add_argument("--out", type=Path, metavar="FILE.onnx", help="default: NAME.onnx here")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    name = f"rf-detr-seg-{args.size}"
    if args.weights != "coco":
        name = f"{name}-{'trial' if args.weights == 'none' else Path(args.weights).stem}"
    out = args.out or Path(f"{name}.onnx")

    import onnx
    import rfdetr
    import torch

    more = {} if args.weights == "coco" else {"pretrain_weights": args.weights}
    if args.weights == "none":
        more = {"pretrain_weights": None}
    model = getattr(rfdetr, f"RFDETRSeg{args.size.title()}")(device="cpu", **more)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    made = model.export(
        output_dir=str(out.resolve().parent),
        output_name=out.stem,
        opset_version=OPSET,
        verbose=False,
    )
    exported = onnx.load(made)
    said = {"license": "Apache-2.0", "description": f"RF-DETR-Seg {args.size}, {args.weights}"}
    if args.weights not in ("coco", "none"):  # COCO's are numbered with gaps, which are known
        said |= {"names": str(dict(enumerate(model.class_names))), "license": "see its weights"}
    for key, value in said.items():
        entry = exported.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(exported)
    onnx.save(exported, out)
    print(f"edge models add {out} --name {name}")


if __name__ == "__main__":
    main()
