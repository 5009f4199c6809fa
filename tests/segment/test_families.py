"""Which family outputs are of, and what is said of those that are of none."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import reading_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge import masks as mask_ops
from edge.errors import ModelError
from edge.segment.families import FAMILIES
from edge.segment.letterbox import cornered, letterbox, stretched
from edge.segment.limits import Limits


def arrays(**shapes):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    "outputs",
    [
        arrays(logits=(1, 1000)),  # a classifier
        arrays(depth=(1, 1, 64, 64)),
        arrays(depth=(1, 64, 64)),
        arrays(out=(1, 21, 64, 64)),  # semantic segmentation
        arrays(out=(1, 21, 64, 64), aux=(1, 21, 64, 64)),
        arrays(output0=(1, 84, 8400)),  # detectors
        arrays(output0=(1, 300, 6)),
        arrays(dets=(1, 100, 4), labels=(1, 100, 91)),
        arrays(boxes=(7, 4), scores=(7,)) | {"labels": np.zeros(7, np.int64)},
        arrays(dets=(1, 100, 5)) | {"labels": np.zeros((1, 100), np.int64)},
        arrays(output0=(1, 56, 8400)),  # poses
        arrays(masks=(1, 100, 64, 64), scores=(1, 100)),  # no boxes
        arrays(dets=(1, 90, 4), labels=(1, 100, 91), masks=(1, 100, 16, 16)),  # they disagree
        arrays(boxes=(1, 9, 4), scores=(1, 8), labels=(1, 9), masks=(1, 9, 16, 16)),
        {},
    ],
)
def test_what_is_no_instance_segmentation_is_refused_in_one_line(outputs):
    with pytest.raises(ModelError) as told:
        reading_of(outputs)
    message = str(told.value)
    assert message.startswith("m.onnx: expected an instance segmentation model of a family ")
    assert "\n" not in message
    assert len(message) < 500
    for name, output in outputs.items():
        assert f"{name} {output.shape}" in message
    assert (", got none" in message) == (not outputs)


def test_a_family_can_be_named():
    outputs = arrays(dets=(1, 9, 4), labels=(1, 9, 3), masks=(1, 9, 16, 16))
    assert reading_of(outputs).family == "rfdetr"
    assert reading_of(outputs, family="rfdetr").family == "rfdetr"
    with pytest.raises(ModelError, match=r"^m.onnx: expected outputs dets \(1, K, 5\).*, got dets"):
        reading_of(outputs, family="rtmdet")
    with pytest.raises(ModelError, match=r"expected family yolo.*generic, got mine"):
        reading_of(outputs, family="mine")


def test_conventions_are_short():
    for name, (_, convention) in FAMILIES.items():
        assert len(convention) < 100, name
        assert ";" not in convention


SHAPES = {
    "rfdetr": {"dets": (1, 4, 4), "labels": (1, 4, 3), "masks": (1, 4, 6, 5)},
    "dfine": {"boxes": (1, 4, 4), "scores": (1, 4), "labels": (1, 4), "masks": (1, 4, 6, 5)},
    "rtmdet": {"dets": (1, 4, 5), "labels": (1, 4), "masks": (1, 4, 64, 64)},
    "torchvision": {"boxes": (4, 4), "scores": (4,), "labels": (4,), "masks": (4, 1, 6, 5)},
    "maskrcnn-zoo": {"boxes": (4, 4), "scores": (4,), "labels": (4,), "masks": (4, 1, 28, 28)},
    "mmdet-maskrcnn": {"dets": (1, 4, 5), "labels": (1, 4), "masks": (1, 4, 28, 28)},
    "detectron2": {"boxes": (4, 4), "classes": (4,), "masks": (4, 1, 28, 28), "scores": (4,)},
    "generic": {"dets": (4, 6), "masks": (4, 60, 60)},
}
strange = st.sampled_from([np.nan, np.inf, -np.inf, 2e3, -2e3])
usual = st.floats(-1, 2, width=16) | st.sampled_from([0.0, 0.375, 0.75, 1.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("family", SHAPES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_output_gives_sound_instances(family, dtype, data):
    outputs = {}
    for name, shape in SHAPES[family].items():
        if name in ("labels", "classes") and family != "rfdetr":
            outputs[name] = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-1, 99)))
        else:
            values = hnp.arrays(dtype, shape, elements=usual | strange, fill=usual)
            outputs[name] = data.draw(values)
            if name in ("boxes", "dets") and family != "rfdetr":
                outputs[name][..., :4] *= 30
    place = data.draw(st.sampled_from([letterbox, cornered, stretched]))
    limits = Limits(min_score=0.1, most=3, every_class=data.draw(st.booleans()))
    reading = reading_of(outputs)
    assert reading.family == family
    found, broken = reading.decode(list(outputs.values()), place((40, 50), (64, 64)), limits)
    assert 0 <= len(found) <= 3
    assert 0 <= broken <= 12
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert ((found.boxes >= 0) & (found.boxes <= (50, 40, 50, 40))).all()
    assert ((found.scores >= 0.1) & (found.scores <= 1)).all()
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.class_ids >= 0) & (found.class_ids < len(reading.class_names))).all()
    assert (mask_ops.area(found.masks) > 0).all()
    assert found.masks.windows.tolist() == mask_ops.extents(found.masks).tolist()
