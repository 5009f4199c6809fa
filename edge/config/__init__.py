"""The config file: its sections, reading it with line numbers, and the rules' fingerprints.

Imports pydantic, PyYAML and `edge.errors`. Nothing here opens a camera, a model or a socket.
"""

from edge.config.delivery import (
    Evidence,
    FileSink,
    Journal,
    Log,
    MqttSink,
    Sink,
    StdoutSink,
    Web,
    WebhookSink,
)
from edge.config.load import Located, load, load_located
from edge.config.messages import Key, message
from edge.config.model import Model
from edge.config.options import (
    camera_from_options,
    check_classes,
    parse_line_option,
    parse_zone_option,
    with_listen,
    with_model,
)
from edge.config.people import people
from edge.config.revision import config_rev, decided_by, geometry_hash
from edge.config.rules import Camera, Line, Zone, check_rule_classes, check_rule_names
from edge.config.secrets import Secrets, written_out
from edge.config.section import Section
from edge.config.sections import Config, Counting, Tracker
from edge.config.shapes import paths_cross, segments_meet
from edge.config.values import Point, check_polygon

__all__ = [
    "Camera",
    "Config",
    "Counting",
    "Evidence",
    "FileSink",
    "Journal",
    "Key",
    "Line",
    "Located",
    "Log",
    "Model",
    "MqttSink",
    "Point",
    "Secrets",
    "Section",
    "Sink",
    "StdoutSink",
    "Tracker",
    "Web",
    "WebhookSink",
    "Zone",
    "camera_from_options",
    "check_classes",
    "check_polygon",
    "check_rule_classes",
    "check_rule_names",
    "config_rev",
    "decided_by",
    "geometry_hash",
    "load",
    "load_located",
    "message",
    "parse_line_option",
    "parse_zone_option",
    "paths_cross",
    "people",
    "segments_meet",
    "with_listen",
    "with_model",
    "written_out",
]
