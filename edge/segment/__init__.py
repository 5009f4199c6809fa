"""From a picture to instances: letterbox, onnxruntime session, decoding."""

from edge.segment.catalog import find_model
from edge.segment.segmenter import Segmenter
from edge.segment.session import Session
from edge.segment.yolo import Limits

__all__ = ["Limits", "Segmenter", "Session", "find_model"]
