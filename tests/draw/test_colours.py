from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.draw.colours import PALETTE, class_colour, colour

# Machado et al. (2009), doi:10.1109/TVCG.2009.113, severity 1: linear RGB as seen.
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)


@pytest.mark.parametrize("sees", [np.eye(3), DEUTERANOPIA, PROTANOPIA])
def test_colours_of_classes_are_told_apart_by_colour_blind_people(sees):
    bgr = np.array([class_colour(k) for k in range(7)], np.float64) / 255
    rgb = np.where(bgr <= 0.04045, bgr / 12.92, ((bgr + 0.055) / 1.055) ** 2.4)[:, ::-1]
    seen = np.clip(rgb @ np.array(sees).T, 0, 1)
    gamma = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = cv2.cvtColor(gamma[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0]
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1000 * np.eye(7)
    assert apart.min() > 10  # a difference of 2 can just be seen


def test_colours_belong_to_ids_and_neighbours_differ():
    assert len(set(PALETTE)) == len(PALETTE) == 7
    for k in range(1, 50):
        assert colour(k) == colour(k + 7)
        difference = np.abs(np.subtract(colour(k), colour(k + 1)))
        assert difference.max() > 80
