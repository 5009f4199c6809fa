"""`edge models`: the catalogue, and what an ONNX file says about itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from edge.cli.commands import Commands
from edge.cli.models_add import ADD_EXAMPLE, add
from edge.cli.options import ClassNamesOption, FamilyOption
from edge.errors import ModelError
from edge.segment import FoundModel, Limits, Segmenter, Session, find_model
from edge.segment.catalog import CatalogEntry, entries, verified
from edge.segment.class_names import class_names_in
from edge.segment.coco import COCO_80, COCO_91

JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

app = typer.Typer(
    cls=Commands,
    help="The model catalogue, and what an ONNX file says.",
    epilog=ADD_EXAMPLE,
    no_args_is_help=True,
)
app.command("add", epilog=ADD_EXAMPLE)(add)


@app.command("list", epilog="Example: edge models list --json")
def list_models(json_output: JsonOption = False) -> None:
    """List the models of the catalogue: those that come with edgecount, and those added."""
    known = entries()
    if json_output:
        typer.echo(json.dumps([_facts(entry) for entry in known], indent=2))
        return
    table = Table()
    for heading in ("name", "family", "licence", "classes", "input", "state"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for entry in known:
        table.add_row(
            f"{entry.name} (default)" if entry.is_default else entry.name,
            entry.family or "",
            entry.licence,
            _classes(entry),
            " x ".join(map(str, entry.input_hw)) if entry.input_hw else "any",
            entry.state,
        )
    console = Console(width=None if Console().is_terminal else 120)
    console.print(table)


@app.command("show", epilog="Example: edge models show best.onnx")
def show(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Name or ONNX file; default: the default model."),
    ] = None,
    family: FamilyOption = None,
    class_names: ClassNamesOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show what the catalogue knows of a model, and what its file says once it is opened."""
    entry = _entry(model)
    if entry is not None and entry.state in ("not yet made", "not downloaded"):
        facts = _facts(entry) | {"remedy": entry.remedy}
    else:
        found = find_model(model)
        if family or class_names:
            names = class_names_in(class_names) if class_names else found.class_names
            found = FoundModel(found.path, family or found.family, names)
        facts = (_facts(entry) if entry else {}) | _opened(found)
    if json_output:
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, text in _rows(facts):
        table.add_row(key, text)
    Console().print(table)


@app.command("verify", epilog="Example: edge models verify person-vehicle-seg-nano")
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Which models; default: all.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Compare the models' files with the hashes in the catalogue; exit code 4 if one is wrong.

    A model that was never made or downloaded is nothing wrong, unless it is named.
    """
    known = {entry.name: entry for entry in entries()}
    for name in names or ():
        if name not in known:
            raise ModelError(f"{name}: expected one of {', '.join(known)}")
    results = []
    for name in names or known:
        fine, text = verified(known[name])
        is_there = known[name].state == "there"
        fine = fine and (is_there or not names)
        verdict = ("ok" if is_there else "-") if fine else "WRONG"
        results.append({"name": name, "verdict": verdict, "found": text})
    if json_output:
        typer.echo(json.dumps(results, indent=2))
    for result in [] if json_output else results:
        typer.echo(f"{result['verdict']:5} {result['name']}: {result['found']}")
    wrong = [result["name"] for result in results if result["verdict"] == "WRONG"]
    if wrong:
        raise ModelError(
            f"models: expected what the catalogue says, got another: {', '.join(wrong)}"
        )


def _entry(model: str | None) -> CatalogEntry | None:
    """The entry that `find_model` would take; None: a path."""
    if model is not None and Path(model).is_file():
        return None
    return next(
        (e for e in entries() if (e.is_default if model is None else e.name == model)), None
    )


def _classes(entry: CatalogEntry) -> str:
    names = entry.class_names
    if names is None:
        return ""
    if names in (COCO_80, COCO_91):
        return "80 of COCO"
    return f"{len(names)}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"


def _facts(entry: CatalogEntry) -> dict[str, Any]:
    """What the catalogue knows of a model."""
    facts = {
        "name": entry.name,
        "default": entry.is_default,
        "state": entry.state,
        "file": str(entry.path),
        "family": entry.family,
        "licence": entry.licence,
        "description": entry.description,
        "class_names": entry.class_names and list(entry.class_names),
        "input_hw": entry.input_hw and list(entry.input_hw),
        "sha256": entry.sha256,
        "bytes": entry.size_bytes,
        "url": entry.url,
        "homepage": entry.homepage,
        "export": entry.export,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _opened(found: FoundModel) -> dict[str, Any]:
    """What a file says of itself, and how it is read."""
    session = Session(found.path, "cpu", 1)
    segmenter = Segmenter(session, Limits(), None, found.family, found.class_names)
    file, reading = session.file, segmenter.reading
    how = reading.preparation
    return {
        "file": str(file.path),
        "bytes": file.path.stat().st_size,
        "sha256": file.sha256,
        "family": reading.family,
        "convention": reading.convention,
        "class_names": list(segmenter.class_names),
        "input": {
            "name": file.input_name,
            "shape": list(file.input_shape),
            "dtype": file.input_dtype.__name__,
        },
        "outputs": [{"name": name, "shape": list(shape)} for name, shape in file.outputs],
        "picture": f"{how.geometry}, {'RGB' if how.is_rgb else 'BGR'}",
        "longest_side_px": segmenter.longest_px,
        "sizing": "as the picture"
        if how.sizing == "native"
        else f"{how.sizing} side {how.size_px} px",
        "takes_batches": segmenter.takes_batches,
        "metadata": {k: v for k, v in sorted(file.metadata.items()) if k != "names"},
    }


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Facts as lines of a table."""
    rows: list[tuple[str, str]] = []
    for key in ("name", "state", "remedy", "file", "licence", "description", "homepage", "url"):
        if key in facts:
            rows.append((key, str(facts[key])))
    if "bytes" in facts:
        rows.append(("size", f"{facts['bytes'] / 1e6:.2f} MB"))
    if "sha256" in facts:
        rows.append(("sha256", facts["sha256"]))
    if "input" in facts:
        its = facts["input"]
        rows.append(("input", f"{its['name']} {_shape(its['shape'])} {its['dtype']}"))
        rows += [("output", f"{o['name']} {_shape(o['shape'])}") for o in facts["outputs"]]
        rows.append(("read as", f"{facts['family']}: {facts['convention']}"))
        rows.append(("picture", facts["picture"]))
        longest = facts["longest_side_px"]
        rows.append(("longest side", f"{longest} px" if longest else facts["sizing"]))
        rows.append(("batches", "yes" if facts["takes_batches"] else "no"))
    elif "family" in facts:
        rows.append(("family", facts["family"]))
    if "class_names" in facts:
        rows.append(("classes", ", ".join(facts["class_names"])))
    return rows + list(facts.get("metadata", {}).items())


def _shape(shape: list[int | None]) -> str:
    return "(" + ", ".join("any" if d is None else str(d) for d in shape) + ")"
