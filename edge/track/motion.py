"""Constant-velocity motion of many boxes at once: centre x, y, width, height.

With diagonal noise the 8-state Kalman filter of SORT-like trackers falls apart into four
independent filters of position and velocity, so a step is a few array operations. Noise is
filterpy's continuous white-noise acceleration (`Q_continuous_white_noise`), which makes steps of
any length equivalent; a test holds the whole to filterpy's KalmanFilter.
"""

from __future__ import annotations

import numpy as np

from edge.types import F32, F64, I64, Bool

# As shares of the object's height: standard deviations of what is measured and what may happen.
MEASURED = 0.08
ACCELERATION = 0.45  # height s^-1.5
FIRST_POSITION = 0.1
FIRST_SPEED = 0.8  # heights a second
LONG_GAP_S = 1.0  # after a longer silence the old speed says nothing


class Motion:
    """Filters for M boxes, in the order they were added.

    Attributes:
        mean: float64 (M, 4) centre x, centre y, width, height, pixels.
        speed: float64 (M, 4) of each, pixels a second.
    """

    def __init__(self) -> None:
        self.mean: F64 = np.zeros((0, 4))
        self.speed: F64 = np.zeros((0, 4))
        # Covariance of (mean, speed), the same filter for each coordinate: [[a, b], [b, c]].
        self._a: F64 = np.zeros((0, 4))
        self._b: F64 = np.zeros((0, 4))
        self._c: F64 = np.zeros((0, 4))

    def add(self, boxes: F32) -> None:
        """Start a filter for each box (N, 4)."""
        z = centred(boxes)
        unit = np.repeat(z[:, 3:], 4, 1)
        self.mean = np.concatenate([self.mean, z])
        self.speed = np.concatenate([self.speed, np.zeros_like(z)])
        self._a = np.concatenate([self._a, (FIRST_POSITION * unit) ** 2])
        self._b = np.concatenate([self._b, np.zeros_like(z)])
        self._c = np.concatenate([self._c, (FIRST_SPEED * unit) ** 2])

    def keep(self, which: Bool) -> None:
        """Drop the filters where `which` (M,) is False."""
        self.mean, self.speed = self.mean[which], self.speed[which]
        self._a, self._b, self._c = self._a[which], self._b[which], self._c[which]

    def predict(self, dt_s: float, lost: Bool) -> None:
        """Move all boxes on by `dt_s` seconds; lost ones keep their size."""
        self.speed[lost, 2:] = 0.0
        if dt_s > LONG_GAP_S:
            self.speed[:] = 0.0
            self._b[:] = 0.0
        q = (ACCELERATION * self.mean[:, 3:]) ** 2
        self.mean = self.mean + dt_s * self.speed
        self.mean[:, 2:] = np.maximum(self.mean[:, 2:], 1.0)
        self._a = self._a + 2 * dt_s * self._b + dt_s**2 * self._c + q * dt_s**3 / 3
        self._b = self._b + dt_s * self._c + q * dt_s**2 / 2
        self._c = self._c + q * dt_s

    def update(self, index: I64, boxes: F32, doubt: F64) -> None:
        """Correct the filters at `index` (N,) by measured boxes (N, 4).

        Args:
            index: which filters.
            boxes: what was measured.
            doubt: float64 (N, 4) factors on the standard deviation of the measurement; large
                where an edge is hidden.
        """
        z = centred(boxes)
        r = (MEASURED * np.maximum(z[:, 3:], self.mean[index, 3:]) * doubt) ** 2
        a, b = self._a[index], self._b[index]
        gain, speed_gain = a / (a + r), b / (a + r)
        error = z - self.mean[index]
        self.mean[index] += gain * error
        self.speed[index] += speed_gain * error
        self._c[index] -= speed_gain * b
        self._a[index], self._b[index] = (1 - gain) * a, (1 - gain) * b

    def boxes(self) -> F32:
        """Where the boxes are now, float32 (M, 4) corners."""
        half = self.mean[:, 2:] / 2
        corners: F32 = np.concatenate([self.mean[:, :2] - half, self.mean[:, :2] + half], 1).astype(
            np.float32
        )
        return corners

    def distance(self, boxes: F32) -> F64:
        """Squared Mahalanobis distance of centres, float64 (M, N): 2 degrees of freedom."""
        z = centred(boxes)
        r = (MEASURED * np.maximum(self.mean[:, 3], 1.0)) ** 2
        spread = self._a[:, None, :2] + r[:, None, None]
        squared: F64 = ((z[None, :, :2] - self.mean[:, None, :2]) ** 2 / spread).sum(2)
        return squared


def centred(boxes: F32) -> F64:
    """Corners (N, 4) -> centre x, centre y, width, height, float64."""
    b = boxes.astype(np.float64)
    z: F64 = np.concatenate([(b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]], 1)
    return z
