"""edgecount: counts people and vehicles in video, on the device next to the camera."""

__version__ = "0.1.0"
