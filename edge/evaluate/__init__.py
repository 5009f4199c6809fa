"""Quality against ground truth: masks, tracks and counts. See docs/evaluation.md."""
