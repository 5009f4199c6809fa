"""The parts of `scripts/bench_tracking`: detections with known identities, trackers, judgement."""
