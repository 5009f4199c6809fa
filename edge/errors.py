"""Everything that edgecount raises on purpose. Imports nothing outside the standard library.

    EdgeError                 exit code
    ├── ConfigError           2   bad arguments or config
    ├── SourceError           3   a file, folder or camera that cannot be read
    ├── ModelError            4   an ONNX file or provider that cannot be used
    ├── SinkError             5   events, video or tracks that cannot be written
    └── ShapeError            1   a caller's array has the wrong dtype or shape (a bug)

Messages read `where: expected X, got Y` and name the remedy where there is one.
"""

from __future__ import annotations


class EdgeError(Exception):
    """Base of all errors with a message meant for the user."""

    exit_code = 1


class ConfigError(EdgeError):
    """A command line, config file or recorded input that cannot be used as given."""

    exit_code = 2


class SourceError(EdgeError):
    """Pictures cannot be had: missing, empty, broken, or no video."""

    exit_code = 3


class ModelError(EdgeError):
    """The model is missing, is no instance segmentation model, or cannot run here."""

    exit_code = 4


class SinkError(EdgeError):
    """Results cannot be written: no such folder, no permission, disk full."""

    exit_code = 5


class ShapeError(EdgeError, ValueError):
    """An array of the wrong dtype or shape reached one of our types."""
