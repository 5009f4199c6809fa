"""Where results go: JSON Lines, detections, tracks, annotated video."""
