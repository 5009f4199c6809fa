from __future__ import annotations

from edge.segment.coco import BACKGROUND, COCO_80, COCO_91, UNUSED


def test_both_numberings():
    assert len(COCO_80) == len(set(COCO_80)) == 80
    assert len(COCO_91) == len(set(COCO_91)) == 91
    assert COCO_91[0] == BACKGROUND
    known = {1: "person", 3: "car", 8: "truck", 13: "stop sign", 18: "dog", 44: "bottle"}
    known |= {62: "chair", 70: "toilet", 72: "tv", 77: "cell phone", 84: "book", 90: "toothbrush"}
    assert {k: COCO_91[k] for k in known} == known
    assert {k for k, name in enumerate(COCO_91) if name.startswith("unused")} == UNUSED
    assert tuple(n for n in COCO_91[1:] if not n.startswith("unused")) == COCO_80
