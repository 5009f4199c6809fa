"""From a picture to instances: preparation, onnxruntime session, decoding by family."""

from edge.segment.catalog import FoundModel, find_model
from edge.segment.limits import Limits
from edge.segment.model_file import Outputs
from edge.segment.segmenter import Prepared, Segmenter
from edge.segment.session import Session

__all__ = ["FoundModel", "Limits", "Outputs", "Prepared", "Segmenter", "Session", "find_model"]
