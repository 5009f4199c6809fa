from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.draw.pen import in_direction

coordinate = st.integers(-1000, 1000)


@given(coordinate, coordinate, coordinate, coordinate)
def test_in_is_from_the_left_hand_to_the_right_hand(ax, ay, bx, by):
    dx, dy = in_direction((ax, ay), (bx, by))
    ahead = bx - ax, by - ay
    if ahead == (0, 0):
        assert (abs(dx), abs(dy)) == (0, 0)
        return
    assert dx * ahead[0] + dy * ahead[1] == pytest.approx(0, abs=1e-6)
    assert np.hypot(dx, dy) == pytest.approx(1)
    # Looking up the picture (ahead = (0, -1)) the right hand is at larger x: a quarter turn
    # clockwise on the screen, (x, y) -> (-y, x).
    assert dx * -ahead[1] + dy * ahead[0] > 0
