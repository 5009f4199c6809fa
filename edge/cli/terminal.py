"""What a person sees on standard error: progress and the closing table."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from edge.count.line import LineCounter
from edge.outputs import Counter
from edge.types import Step

console = Console(stderr=True)


class Bar(Protocol):
    """What is drawn again and again in the last lines of the screen, such as `rich`'s."""

    def start(self) -> None:
        """Show it."""

    def refresh(self) -> None:
        """Draw it anew."""

    def stop(self) -> None:
        """Take it away."""


_shown: list[Bar] = []
_lock = threading.RLock()  # nobody writes while one is taken away


def show(bar: Bar) -> None:
    """Show a bar; what goes to `standard_output` or `log_stream` comes out above it."""
    with _lock:
        _shown.append(bar)
        bar.start()


def hide(bar: Bar) -> None:
    """Take a bar away for good."""
    with _lock:
        if bar in _shown:
            _shown.remove(bar)
            bar.stop()


def redraw(bar: Live, content: RenderableType) -> None:
    """Show something else in a bar."""
    # Rich itself lets a line of another thread slip between what it looks up and what it writes.
    with _lock:
        bar.update(content, refresh=True)


def log_stream() -> TextIO | None:
    """Where the log goes: None, standard error, but on a terminal one that bars make way for."""
    return cast(TextIO, _AboveBars(sys.stderr)) if console.is_terminal else None


def standard_output() -> TextIO:
    """Where events go; on the screen that bars are on, they make way for each write."""
    if console.is_terminal and sys.stdout.isatty():
        return cast(TextIO, _AboveBars(sys.stdout))
    return sys.stdout


class _AboveBars(io.TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _lock:
            for bar in _shown:
                bar.stop()
            try:
                written = self._stream.write(text)
                self._stream.flush()
                return written
            finally:
                for bar in _shown:
                    bar.start()
                    bar.refresh()


def teller(quiet: bool = False) -> Callable[[str], None]:
    """What says a line while a model is opened, which takes minutes where an engine is built."""

    def tell(text: str) -> None:
        if not quiet:
            console.print(text, style="dim", highlight=False, soft_wrap=True)

    return tell


def warn(camera: str, texts: Sequence[str]) -> None:
    """Say what was amiss, a line each."""
    for text in texts:
        said = f"warning: {camera}: {text}"
        console.print(said, style="yellow", highlight=False, soft_wrap=True)


class ProgressOutput:
    """A bar with frames, rate and time left on a terminal; silent elsewhere."""

    def __init__(
        self, camera: str, total: int | None, counters: Sequence[Counter], quiet: bool
    ) -> None:
        """Start the clock; `total` frames, None if unknown."""
        self.frames = 0
        self.media_s = 0.0
        self._counters = counters
        self._began_s = time.perf_counter()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
            console=console,
            transient=True,
            redirect_stdout=False,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task(camera, total=total, fps=0.0, counts="")
        show(self._bar)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._began_s

    def write(self, step: Step) -> None:
        """Count one frame."""
        self.frames += 1
        self.media_s = step.stamp.media_s
        self._bar.update(
            self._task,
            advance=1,
            fps=self.frames / max(self.elapsed_s, 1e-9),
            counts=" ".join(_short(c) for c in self._counters),
        )

    def close(self) -> None:
        """Take the bar away."""
        hide(self._bar)


def _short(counter: Counter) -> str:
    t = counter.totals
    return f"{counter.rule_id} {t.count_in}/{t.count_out}"


def totals_table(
    camera: str,
    counters: Sequence[Counter],
    class_names: Sequence[str],
    progress: ProgressOutput,
    interrupted: bool,
) -> Group:
    """Totals by rule, direction and class, under a line that says of what."""
    rate = progress.frames / max(progress.elapsed_s, 1e-9)
    word = "interrupted after" if interrupted else "counted"
    title = (
        f"{camera}: {word} {progress.frames} frames, {progress.media_s:.1f} s of video "
        f"in {progress.elapsed_s:.1f} s ({rate:.1f} fps)"
    )
    table = Table()
    for heading in ("rule", "class"):
        table.add_column(heading)
    for heading in ("in", "out", "net", "inside"):
        table.add_column(heading, justify="right")
    for counter in counters:
        totals = counter.totals
        inside = "" if isinstance(counter, LineCounter) else str(counter.occupancy)
        rows = [("all", (totals.count_in, totals.count_out))]
        if len(totals.by_class) > 1:
            rows += [(class_names[c], counts) for c, counts in totals.by_class.items()]
        elif totals.by_class:
            rows = [(class_names[next(iter(totals.by_class))], rows[0][1])]
        for n, (name, (ins, outs)) in enumerate(rows):
            first = counter.rule_id if n == 0 else ""
            table.add_row(
                first, name, str(ins), str(outs), str(ins - outs), inside if n == 0 else ""
            )
    if not counters:
        table.add_row("no rules", "", "", "", "", "")
        table.caption = "give --line or --zone to count"
    return Group(Text(title), table)
