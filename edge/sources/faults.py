"""What was wrong with a recording that could still be read. Imports nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """Counters that a source keeps while it is read; all zero for a sound recording."""

    broken_frames: int = 0  # could not be decoded; skipped
    missing_times: int = 0  # no timestamp: the previous one plus the usual interval was taken
    repeated_times: int = 0  # not later than the frame before; skipped
    time_jumps: int = 0  # the clock went back by a second or more; time goes on from there
    resized_frames: int = 0  # the size changed in mid-stream; scaled to the first frame's
    truncated: bool = False  # the recording stops before the end that its header names

    def sentences(self) -> list[str]:
        """One sentence for each kind of fault that occurred.

        >>> Faults(broken_frames=2, truncated=True).sentences()
        ['2 broken frames skipped', 'the recording is cut off before its end']
        """
        counted = (
            (self.broken_frames, "broken", "skipped"),
            (self.missing_times, "undated", "dated by the usual interval"),
            (self.repeated_times, "out-of-order", "skipped"),
            (self.resized_frames, "resized", "scaled to the first one's size"),
        )
        said = [f"{n} {kind} frame{'s'[: n != 1]} {fate}" for n, kind, fate in counted if n]
        if self.time_jumps:
            said.append(
                f"{self.time_jumps} jump{'s'[: self.time_jumps != 1]} back in time closed up"
            )
        if self.truncated:
            said.append("the recording is cut off before its end")
        return said
