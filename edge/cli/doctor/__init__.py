"""`edge doctor`: what really works on this machine, each finding with its remedy.

Nothing that can be broken is imported before it is checked, so these modules import OpenCV, PyAV
and onnxruntime, and what imports them, inside their functions.
"""

from edge.cli.doctor.command import EXAMPLE, doctor

__all__ = ["EXAMPLE", "doctor"]
