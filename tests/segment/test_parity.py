"""What another provider sees, against the CPU with one run at a time; and how long each takes.

On a machine with an NVIDIA GPU: `python -m pytest -m gpu tests/segment/test_parity.py
--junitxml=parity.xml -o junit_family=xunit1`; the times are properties in that file.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scenes import CLIP

from edge import build
from edge.masks import iou_matrix
from edge.segment import Segmenter
from edge.segment.providers import CpuSettings, ProviderSettings
from edge.sources import open_source
from edge.types import Instances

SURE = 0.3  # score from which an instance must be seen by both
MOST_PX, LEAST_IOU = 1.0, 0.98


def differences(one: Instances, other: Instances) -> tuple[int, float, float]:
    """Sure instances of one that the other lacks; largest distance of sides, px; least mask IoU."""
    unpaired, far_px, least = 0, 0.0, 1.0
    overlaps = iou_matrix(one.masks, other.masks)
    for k in np.flatnonzero(one.scores >= SURE):
        alike = np.where(other.class_ids == one.class_ids[k], overlaps[k], -1.0)
        best = int(alike.argmax()) if len(other) else -1
        if best < 0 or alike[best] < 0.5:
            unpaired += 1
            continue
        far_px = max(far_px, float(np.abs(one.boxes[k] - other.boxes[best]).max()))
        least = min(least, float(alike[best]))
    return unpaired, far_px, least


def median_ms(segmenter: Segmenter, image, runs: int = 10) -> float:
    prepared = segmenter.prepare(image)
    spent_s = []
    for _ in range(runs):
        began = time.perf_counter()
        segmenter.infer(prepared)
        spent_s.append(time.perf_counter() - began)
    return statistics.median(spent_s) * 1e3


@pytest.mark.parametrize(
    ("provider", "every"), [("cpu", 250), pytest.param("cuda", 40, marks=pytest.mark.gpu)]
)
def test_a_provider_sees_what_the_cpu_sees(provider, every, record_property):
    """In every so many frames of the sample clip's 795; `cpu` tries the comparison itself."""
    its = ProviderSettings(cpu=CpuSettings(at_once=None))
    there = build.segmenter(provider=provider, strict_provider=True, settings=its)
    here = build.segmenter(provider="cpu", threads=1, strict_provider=True)
    assert there.session.provider == provider
    instances = 0
    with open_source(str(CLIP)) as source:
        for frame in islice(source, 0, None, every):
            ours, theirs = here.segment(frame.image), there.segment(frame.image)
            instances += len(ours)
            for one, other in ((ours, theirs), (theirs, ours)):
                unpaired, far_px, least = differences(one, other)
                assert unpaired == 0, f"frame {frame.stamp.frame}"
                assert far_px <= MOST_PX, f"frame {frame.stamp.frame}"
                assert least >= LEAST_IOU, f"frame {frame.stamp.frame}"
    assert instances > 10
    record_property("nodes", there.session.placement)
    record_property(f"{provider}_ms", median_ms(there, frame.image))
    record_property("cpu_one_thread_ms", median_ms(here, frame.image))


def test_differences_are_seen():
    segmenter = build.segmenter(provider="cpu", threads=1)
    with open_source(str(CLIP)) as source:
        seen = segmenter.segment(next(iter(source)).image)
    assert differences(seen, seen) == (0, 0.0, 1.0)
    moved = replace(seen, boxes=np.clip(seen.boxes - 1.5, 0, None))
    assert differences(seen, moved)[1] > MOST_PX
    fewer = replace(seen, class_ids=seen.class_ids + 1)
    assert differences(seen, fewer)[0] == np.count_nonzero(seen.scores >= SURE) > 0
