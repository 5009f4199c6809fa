"""Constant-velocity motion of many boxes at once: centre x, y, width, height.

With diagonal noise the 8-state Kalman filter of SORT-like trackers falls apart into four
independent filters of position and velocity, so a step is a few array operations. Noise is
filterpy's continuous white-noise acceleration (`Q_continuous_white_noise`), which makes steps of
any length equivalent; a test holds the whole to filterpy's KalmanFilter.
"""

from __future__ import annotations

import numpy as np

from edge.track import camera
from edge.types import F32, F64, I64, Bool

# Standard deviations of what is measured and what may happen, as shares of the longer side.
MEASURED = 0.08  # people: their boxes swing with their steps
ACCELERATION = 0.45  # side s^-1.5
RIGID_MEASURED = 0.05  # vehicles: crisp boxes, and they can brake
RIGID_ACCELERATION = 1.2
FIRST_POSITION = 0.1
FIRST_SPEED = 0.8  # sides a second
SIZE_MEMORY_S = 1.0
LONG_GAP_S = 1.0  # after a longer silence the old speed says nothing
# Where the squared surprise of the usual walker exceeds CALM times what the filter expects, the
# camera moves: speeds may then change faster, up to LIVELIEST times.
CALM = 0.1
LIVELIEST = 2.0
UNREST_MEMORY_S = 1.0
LEAST_SURPRISED = 2  # walkers who tell


class Motion:
    """Filters for M boxes, in the order they were added.

    Attributes:
        mean: float64 (M, 4) centre x, centre y, width, height, pixels.
        speed: float64 (M, 4) of each, pixels a second.
        rigid: bool (M,) which are vehicles.
        unrest: squared surprise of late, a share of what is expected.
    """

    def __init__(self) -> None:
        self.mean: F64 = np.zeros((0, 4))
        self.speed: F64 = np.zeros((0, 4))
        # Covariance of (mean, speed), the same filter for each coordinate: [[a, b], [b, c]].
        self._a: F64 = np.zeros((0, 4))
        self._b: F64 = np.zeros((0, 4))
        self._c: F64 = np.zeros((0, 4))
        self.rigid: Bool = np.zeros(0, np.bool_)
        self.unrest = 0.0
        self._dt_s = 0.0
        self._measured: F64 = np.zeros((0, 1))
        self._acceleration: F64 = np.zeros((0, 1))

    def add(self, boxes: F32, speed: F64, rigid: Bool) -> None:
        """Start a filter for each box.

        Args:
            boxes: float32 (N, 4).
            speed: float64 (N, 2) of the centre, the best guess, pixels a second.
            rigid: bool (N,) which are vehicles.
        """
        z = centred(boxes)
        measured = np.where(rigid, RIGID_MEASURED, MEASURED)[:, None]
        acceleration = np.where(rigid, RIGID_ACCELERATION, ACCELERATION)[:, None]
        self.rigid = np.concatenate([self.rigid, rigid])
        self._measured = np.concatenate([self._measured, measured])
        self._acceleration = np.concatenate([self._acceleration, acceleration])
        unit = np.repeat(_unit(z), 4, 1)
        self.mean = np.concatenate([self.mean, z])
        self.speed = np.concatenate([self.speed, np.pad(speed, ((0, 0), (0, 2)))])
        self._a = np.concatenate([self._a, (FIRST_POSITION * unit) ** 2])
        self._b = np.concatenate([self._b, np.zeros_like(z)])
        self._c = np.concatenate([self._c, (FIRST_SPEED * unit) ** 2])

    def keep(self, which: Bool) -> None:
        """Drop the filters where `which` (M,) is False."""
        self.mean, self.speed = self.mean[which], self.speed[which]
        self._a, self._b, self._c = self._a[which], self._b[which], self._c[which]
        self.rigid = self.rigid[which]
        self._measured = self._measured[which]
        self._acceleration = self._acceleration[which]

    def warp(self, moved: F64) -> None:
        """Take everything along where the camera has moved, (2, 3) as `camera` gives it."""
        zoom = camera.zoom_of(moved)
        turned = moved * [1, 1, 0]
        self.mean = np.concatenate([camera.warped(self.mean, moved), zoom * self.mean[:, 2:]], 1)
        self.speed = np.concatenate(
            [camera.warped(self.speed, turned), zoom * self.speed[:, 2:]], 1
        )

    def predict(self, dt_s: float, lost: Bool) -> None:
        """Move all boxes on by `dt_s` seconds; lost ones keep their size.

        Nothing grows or shrinks for long: the speed of the sizes fades within SIZE_MEMORY_S.
        """
        self._dt_s = dt_s
        self.speed[lost, 2:] = 0.0
        if dt_s > LONG_GAP_S:
            self.speed[:] = 0.0
            self._b[:] = 0.0
        stays = float(np.exp(-dt_s / SIZE_MEMORY_S))
        fade = np.array([1, 1, stays, stays])
        reach_s = np.array([dt_s, dt_s, *2 * [SIZE_MEMORY_S * (1 - stays)]])
        livelier = float(np.clip(np.sqrt(self.unrest / CALM), 1, LIVELIEST))
        acceleration = self._acceleration * np.where(self.rigid, 1, livelier)[:, None]
        q = (acceleration * _unit(self.mean)) ** 2
        self.mean = self.mean + reach_s * self.speed
        self.mean[:, 2:] = np.maximum(self.mean[:, 2:], 1.0)
        self.speed = fade * self.speed
        self._a = self._a + 2 * reach_s * self._b + reach_s**2 * self._c + q * dt_s**3 / 3
        self._b = fade * (self._b + reach_s * self._c) + q * dt_s**2 / 2
        self._c = fade**2 * self._c + q * dt_s

    def update(self, index: I64, boxes: F32, doubt: F64) -> None:
        """Correct the filters at `index` (N,) by measured boxes (N, 4).

        Args:
            index: which filters.
            boxes: what was measured.
            doubt: float64 (N, 4) factors on the standard deviation of the measurement; large
                where an edge is hidden.
        """
        z = centred(boxes)
        unit = np.maximum(_unit(z), _unit(self.mean[index]))
        r = (self._measured[index] * unit * doubt) ** 2
        a, b = self._a[index], self._b[index]
        gain, speed_gain = a / (a + r), b / (a + r)
        error = z - self.mean[index]
        self._be_surprised(
            error[:, 0] ** 2 / (a + r)[:, 0], ~self.rigid[index] & (doubt == 1).all(1)
        )
        self.mean[index] += gain * error
        self.speed[index] += speed_gain * error
        self._c[index] -= speed_gain * b
        self._a[index], self._b[index] = (1 - gain) * a, (1 - gain) * b

    def _be_surprised(self, squared: F64, which: Bool) -> None:
        """Learn from how far off walkers were seen, sideways, how restless the camera is.

        Noise adapted to the innovations (Mehra, 1970, doi:10.1109/TAC.1970.1099422), the same for
        all walkers: one who starts to run says nothing about the others.
        """
        if np.count_nonzero(which) >= LEAST_SURPRISED:
            ordered = np.sort(squared[which])  # np.median takes ten times as long
            now = float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
            self.unrest += -np.expm1(-self._dt_s / UNREST_MEMORY_S) * (now - self.unrest)

    def boxes(self) -> F32:
        """Where the boxes are now, float32 (M, 4) corners."""
        half = self.mean[:, 2:] / 2
        corners: F32 = np.concatenate([self.mean[:, :2] - half, self.mean[:, :2] + half], 1).astype(
            np.float32
        )
        return corners

    def distance(self, index: I64, boxes: F32) -> F64:
        """Squared Mahalanobis distance of centres, float64 (P,): 2 degrees of freedom.

        Args:
            index: which filters.
            boxes: float32 (P, 4), one for each.
        """
        mean = self.mean[index]
        spread = self._a[index, :2] + (self._measured[index] * np.maximum(_unit(mean), 1.0)) ** 2
        squared: F64 = ((centred(boxes)[:, :2] - mean[:, :2]) ** 2 / spread).sum(1)
        return squared

    def follow(self, index: I64, step: F64, dt_s: float) -> None:
        """Correct the filters at `index` (N,) by how far they have gone: pixels (N, 2).

        `predict` has moved them by `dt_s` already.
        """
        went = self.mean[index].copy()
        went[:, :2] += step - dt_s * self.speed[index, :2]
        half = went[:, 2:] / 2
        boxes = np.concatenate([went[:, :2] - half, went[:, :2] + half], 1)
        self.update(index, boxes.astype(np.float32), np.ones((len(index), 4)))
        # The filter would lose a share of each step, so the more the higher the frame rate.
        self.mean[index, :2] = went[:, :2]


def _unit(z: F64) -> F64:
    """Size that noise is measured in: the longer side, float64 (N, 1)."""
    longer: F64 = z[:, 2:].max(1, keepdims=True)
    return longer


def centred(boxes: F32) -> F64:
    """Corners (N, 4) -> centre x, centre y, width, height, float64."""
    b = boxes.astype(np.float64)
    z: F64 = np.concatenate([(b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]], 1)
    return z
