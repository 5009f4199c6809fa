"""`edge models add`: a file, an address or a name of the catalogue becomes the user's model."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from edge.cli.options import ClassNamesOption, FamilyOption
from edge.errors import ConfigError, ModelError
from edge.segment import adding
from edge.segment.catalog import CatalogEntry, entries, user_folder
from edge.segment.class_names import class_names_in

ADD_EXAMPLE = "Example: edge models add best.onnx --name yard --licence Apache-2.0"


def add(  # noqa: PLR0913
    source: Annotated[
        str, typer.Argument(metavar="FILE|URL|NAME", help="ONNX file, address, or catalogue name.")
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it, for --model.")
    ] = None,
    family: FamilyOption = None,
    class_names: ClassNamesOption = None,
    licence: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its licence, such as Apache-2.0.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="SHA-256 that the file must have.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a model of this name.")
    ] = False,
) -> None:
    """Add a model: it is tried, copied to the user's folder, and known by its name from then on.

    The folder is $EDGECOUNT_MODELS, else ~/.local/share/edgecount/models. A local file never needs
    the network. A download is checked by its sha256 and goes on where it broke off.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise ConfigError(f"--sha256: expected 64 hexadecimal digits, got {sha256}")
    names = class_names_in(class_names) if class_names else None
    is_address = re.match(r"https?://", source) is not None
    url = source if is_address else None
    if url is None and not os.path.isfile(source):
        url, known_hash = _of_catalogue(source)
        name, sha256 = name or source, sha256 or known_hash
    if name is None:
        raise ConfigError("--name: expected a name for the model, got none")
    wish = _wish(name, family, names, licence, sha256, url, replace)
    entry = _downloaded(url, wish) if url else adding.add(Path(source), wish)
    count = len(entry.class_names or ())
    size = " x ".join(map(str, entry.input_hw)) if entry.input_hw else "any size"
    typer.echo(
        f"added {entry.name}: {entry.family}, {count} classes, input {size}, {entry.licence}"
    )
    typer.echo(f"file {entry.path}")
    typer.echo(f"sha256 {entry.sha256}")
    if entry.licence == "unknown":
        typer.echo("warning: its licence is unknown; --licence states it", err=True)


def _wish(  # noqa: PLR0913
    name: str,
    family: str | None,
    names: tuple[str, ...] | None,
    licence: str | None,
    sha256: str | None,
    url: str | None,
    replaces: bool,
) -> adding.Addition:
    # An address with a password or a token in it is not written down.
    kept = url if url and not re.search(r"\?|//[^/]*@", url) else None
    digest = sha256.lower() if sha256 else None
    return adding.Addition(name, family, names, licence, digest, kept, replaces)


def _of_catalogue(name: str) -> tuple[str, str]:
    """Address and hash of a catalogue name."""
    known = entries()
    entry = next((e for e in known if e.name == name), None)
    if entry is None:
        there = ", ".join(e.name for e in known if e.url) or "none that can be downloaded"
        raise ModelError(
            f"{name}: expected a file, an address https://..., or a name of the catalogue with an "
            f"address ({there})"
        )
    if entry.url is None or entry.sha256 is None:
        raise ModelError(
            f"{name}: expected a model that can be downloaded, got one that is {entry.state}; "
            f"{entry.remedy}"
        )
    return entry.url, entry.sha256


def _downloaded(url: str, wish: adding.Addition) -> CatalogEntry:
    """Download a model and add it."""
    # It takes long to import, and nothing else needs it.
    from edge.segment.download import download

    adding.check_free(wish)  # before the long wait
    key = hashlib.sha256(f"{url} {wish.sha256}".encode()).hexdigest()[:8]
    part = user_folder() / f"{wish.name}-{key}.part"
    with _bar(wish.name) as progress:
        download(url, part, wish.sha256, progress)
    if wish.sha256 is None:
        typer.echo(
            "warning: no --sha256 was given: nothing tells that it is the right file", err=True
        )
    try:
        return adding.add(part, wish, moves=True)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal; silent elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
