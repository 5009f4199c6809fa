"""Export D-FINE-seg (Saakyan, code and COCO weights Apache-2.0) to ONNX for `edge models add`.

It runs in an environment of its own, without edgecount (6 GB, with torch; Python 3.11 or later):

    python3 -m venv venv-dfine
    venv-dfine/bin/pip install dfine-seg==0.6.2 onnx onnxsim
    venv-dfine/bin/python scripts/export_dfine_seg.py --size s

The weights, trained on COCO, are downloaded by the package from its author. Its own exporter writes
opset 19, whose Resize and ReduceMax onnxruntime's CUDA provider lacks; this one writes opset 17.
`--weights FILE` takes a checkpoint of your own, `--weights none` makes a model of random weights.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

OPSET = 17
SIZES = ("n", "s", "m", "l", "x")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="s")
    parser.add_argument("--weights", default="coco", metavar="coco|none|FILE", help="default: coco")
    parser.add_argument("--names", nargs="+", help="classes of FILE in order; default: COCO's")
    parser.add_argument("--input", type=int, default=640, metavar="PX", help="side of the input")
    parser.add_argument("--out", type=Path, metavar="FILE.onnx", help="default: NAME.onnx here")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    name = f"d-fine-seg-{args.size}"
    if args.weights != "coco":
        name = f"{name}-{'trial' if args.weights == 'none' else Path(args.weights).stem}"
    out = args.out or Path(f"{name}.onnx")

    import onnx
    import onnxsim
    import torch
    from dfine_seg.api.coco_names import COCO_NAMES
    from dfine_seg.dl.export import DFINEPostProcessor, ExportWrapper
    from dfine_seg.model.dfine import build_model
    from dfine_seg.model.utils import load_tuning_state, pretrained_from_hub

    names = args.names or list(COCO_NAMES.values())
    sides = (args.input, args.input)
    torch.manual_seed(1)
    model = build_model(
        args.size, len(names), enable_mask_head=True, device="cpu", img_size=sides, task="segment"
    )
    if args.weights != "none":
        coco = args.weights == "coco"
        file = pretrained_from_hub(f"dfine_seg_{args.size}_coco.pt") if coco else args.weights
        load_tuning_state(model, file)
    graph = ExportWrapper(model.eval(), DFINEPostProcessor(len(names))).eval()
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    torch.onnx.export(
        graph,
        (torch.rand(1, 3, *sides),),
        str(out),
        opset_version=OPSET,
        input_names=["input"],
        output_names=["labels", "boxes", "scores", "masks"],
        dynamo=False,
    )
    exported, is_same = onnxsim.simplify(onnx.load(out))
    if not is_same:
        raise SystemExit("expected the simplified graph to give the same, got another result")
    licence = "see its weights" if args.names else "Apache-2.0"
    said = {"license": licence, "description": f"D-FINE-seg {args.size}, {args.weights}"}
    onnx.helper.set_model_props(exported, said | {"names": str(dict(enumerate(names)))})
    onnx.checker.check_model(exported)
    onnx.save(exported, out)
    print(f"edge models add {out} --name {name}")


if __name__ == "__main__":
    main()
