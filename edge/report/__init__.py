"""What was counted, as a page for people and as a table for programs.

Events go through a `Gathering`, one by one; its `Summary` is written as HTML, PNG, CSV or Parquet.
Imports numpy, opencv and the layers below.
"""

from edge.report.calendar import interval_of, zone_of
from edge.report.feet import Feet, Footprints
from edge.report.gather import Gathering
from edge.report.heatmap import background_of, feet_of_detections, feet_of_tracks
from edge.report.reading import without_null
from edge.report.summary import Summary
from edge.report.table import require_pyarrow, write_csv, write_parquet
from edge.report.write import write_pictures, write_report

__all__ = [
    "Feet",
    "Footprints",
    "Gathering",
    "Summary",
    "background_of",
    "feet_of_detections",
    "feet_of_tracks",
    "interval_of",
    "require_pyarrow",
    "without_null",
    "write_csv",
    "write_parquet",
    "write_pictures",
    "write_report",
    "zone_of",
]
