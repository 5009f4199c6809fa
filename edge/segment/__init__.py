"""From a picture to instances: letterbox, onnxruntime session, decoding."""

from edge.segment.catalog import find_model
from edge.segment.segmenter import Prepared, Segmenter
from edge.segment.session import Session
from edge.segment.yolo import Limits

__all__ = ["Limits", "Prepared", "Segmenter", "Session", "find_model"]
