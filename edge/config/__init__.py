"""The config file: its sections, reading it with line numbers, and the rules' fingerprints.

Imports pydantic, PyYAML and `edge.errors`. Nothing here opens a camera, a model or a socket.
"""

from edge.config.load import load, load_located
from edge.config.messages import Key, message
from edge.config.options import (
    camera_from_options,
    check_classes,
    parse_line_option,
    parse_zone_option,
    with_model,
)
from edge.config.revision import config_rev, geometry_hash
from edge.config.sections import (
    Camera,
    Config,
    Counting,
    Line,
    Model,
    Section,
    Tracker,
    Zone,
    check_rule_classes,
    check_rule_names,
)
from edge.config.shapes import paths_cross, segments_meet
from edge.config.values import Point, check_polygon

__all__ = [
    "Camera",
    "Config",
    "Counting",
    "Key",
    "Line",
    "Model",
    "Point",
    "Section",
    "Tracker",
    "Zone",
    "camera_from_options",
    "check_classes",
    "check_polygon",
    "check_rule_classes",
    "check_rule_names",
    "config_rev",
    "geometry_hash",
    "load",
    "load_located",
    "message",
    "parse_line_option",
    "parse_zone_option",
    "paths_cross",
    "segments_meet",
    "with_model",
]
