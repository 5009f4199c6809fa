"""`edge models`: the catalogue, and what an ONNX file says about itself."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge.segment import Limits, Segmenter, Session, find_model
from edge.segment.catalog import entries

app = typer.Typer(help="The model catalogue, and what an ONNX file says.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """List the models of the catalogue."""
    table = Table()
    for heading in ("name", "licence", "file", "description"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for entry in entries():
        name = f"{entry.name} (default)" if entry.is_default else entry.name
        found = entry.path.name if entry.path.is_file() else f"{entry.path.name} (missing)"
        table.add_row(name, entry.licence, found, entry.description)
    Console().print(table)


@app.command("show")
def show(
    model: Annotated[str | None, typer.Argument(help="Name or path; default: the default.")] = None,
) -> None:
    """Open a model and show its input, outputs, classes and metadata."""
    session = Session(find_model(model), "cpu", 1)
    file = session.file
    segmenter = Segmenter(session, Limits())
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("file", str(file.path))
    table.add_row("size", f"{file.path.stat().st_size / 1e6:.2f} MB")
    table.add_row("sha256", file.sha256)
    table.add_row("input", f"{file.input_name} {_shape(file.input_shape)}")
    for name, shape in file.outputs:
        table.add_row("output", f"{name} {_shape(shape)}")
    table.add_row("read as", f"{segmenter.reading.family}: {segmenter.reading.convention}")
    table.add_row("longest side", f"{segmenter.longest_px} px")
    table.add_row("classes", ", ".join(segmenter.class_names))
    for key, value in sorted(file.metadata.items()):
        if key != "names":
            table.add_row(key, value)
    Console().print(table)


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if d is None else str(d) for d in shape) + ")"
