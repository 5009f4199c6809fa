from __future__ import annotations

import pytest

from edge.web.status import CameraStatus, EvidenceStatus, JournalStatus, SinkStatus, Status


@pytest.fixture
def status() -> Status:
    """Two cameras, one of them lost; one sink that lags."""
    gate = CameraStatus("gate", "connected", 3, 1000, 900, 90, 10, 2, 0.04)
    yard = CameraStatus("yard", "lost", 0, 0, 0, 0, 0, 0, None, "no answer in 10 s")
    sink = SinkStatus("office", 12, 34.5, 6, 1, "connection refused")
    return Status(
        version="1.2.3",
        provider="cpu",
        model="nano",
        is_model_loaded=True,
        cameras=[gate, yard],
        sinks=[sink],
        journal=JournalStatus(waiting=4, failing_s=None, lost=0, size_bytes=8192),
        evidence=EvidenceStatus(saved=5, dropped=1, size_bytes=60_000),
        nodes={"cuda": 600, "cpu": 16},
    )
