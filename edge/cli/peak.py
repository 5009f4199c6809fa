"""Runs `edge` for `edge bench`, and leaves the peak of its memory in a file.

`python -m edge.cli.peak FILE ARGUMENT...`. What the kernel tells a parent of its children's peak
begins with the parent's own, which a child shares until it runs another program.
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from edge.cli.start import main

STATUS = Path("/proc/self/status")


def peak_kb() -> int:
    """The most memory that this process has had, KiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
    return int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    target = Path(sys.argv.pop(1))
    try:
        main()
    finally:
        target.write_text(str(peak_kb()))
