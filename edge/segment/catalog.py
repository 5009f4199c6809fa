"""The model catalogue: what edgecount brings or knows how to get, and what the user has added.

Two files of one form: one beside the package, which may be read-only, and one in the user's
folder, whose entries replace those of the same name. Names become files here.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from edge.errors import ModelError
from edge.segment.catalog_file import CLASS_LISTS, read_catalog

CATALOG = "catalog.yaml"
# In a checkout, and where a wheel puts them.
FOLDERS = (
    Path(__file__).resolve().parents[2] / "models",
    Path(sys.prefix) / "share" / "edgecount" / "models",
)
State = Literal["there", "missing", "not downloaded", "not yet made"]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One model of the catalogue."""

    name: str
    path: Path  # where its file is, or is expected
    licence: str
    description: str
    family: str | None  # one of `edge.segment.families`; None: as the file shows
    class_names: tuple[str, ...] | None  # None: those of the file
    input_hw: tuple[int, int] | None  # None: any size
    sha256: str | None
    size_bytes: int | None
    url: str | None
    homepage: str | None
    export: str | None  # the command that makes the file
    is_own: bool  # of the user's catalogue
    is_default: bool = False

    @property
    def state(self) -> State:
        """Whether its file is there, and if not, why."""
        if os.path.isfile(self.path):
            return "there"
        if self.url:
            return "not downloaded"
        return "missing" if self.sha256 else "not yet made"

    @property
    def remedy(self) -> str:
        """What to do when its file is not there."""
        if self.state == "not downloaded":
            return f"`edge models add {self.name}` downloads it"
        if self.state == "not yet made":
            return f"make it with `{self.export}`, then `edge models add FILE --name {self.name}`"
        return f"put it back, or `edge models add FILE --name {self.name}`"


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model's file, and what the catalogue says of how to read it."""

    path: Path
    family: str | None = None
    class_names: tuple[str, ...] | None = None


def user_folder() -> Path:
    """Where models are added: $EDGECOUNT_MODELS, else edgecount/models in the user's data.

    Raises:
        ModelError: the user has no home.
    """
    if os.environ.get("EDGECOUNT_MODELS"):
        return Path(os.environ["EDGECOUNT_MODELS"])
    try:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise ModelError(
            "models: expected a home folder, got none; set EDGECOUNT_MODELS to a folder"
        ) from error
    return Path(data) / "edgecount" / "models"


def entries() -> list[CatalogEntry]:
    """All models: those of the package in their order, then those that the user has added.

    Raises:
        ModelError: there is no readable catalogue; says file, key, expected and got.
    """
    brought, own = brought_catalog(), own_catalog()
    if brought is None and own is None:
        raise ModelError(
            f"{FOLDERS[0] / CATALOG}: expected the model catalogue, got no such file; install "
            "edgecount anew, or give --model a path"
        )
    known: dict[str, CatalogEntry] = {}
    default, where = None, FOLDERS[0]
    for found, is_own in ((brought, False), (own, True)):
        if found is None:
            continue
        folder, content = found
        known |= {
            name: _entry(name, model, folder, is_own) for name, model in content["models"].items()
        }
        if "default" in content:
            default, where = content["default"], folder
    if default is not None and default not in known:
        raise ModelError(
            f"{where / CATALOG}: default: expected one of {', '.join(known)}, got {default}"
        )
    return [replace(entry, is_default=entry.name == default) for entry in known.values()]


def brought_catalog() -> tuple[Path, dict[str, Any]] | None:
    """The package's folder and what its catalogue says; None: it has none.

    Raises:
        ModelError: it cannot be read.
    """
    folder = next((f for f in FOLDERS if os.path.isfile(f / CATALOG)), None)
    return None if folder is None else (folder, read_catalog(folder / CATALOG))


def own_catalog() -> tuple[Path, dict[str, Any]] | None:
    """The user's folder and what its catalogue says; None: there is none.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        folder = user_folder()
        os.stat(folder / CATALOG)
    except (ModelError, FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if not os.environ.get("EDGECOUNT_MODELS"):
            return None  # a service may not enter homes (systemd's ProtectHome)
        raise ModelError(
            f"{folder}: expected a folder of models, got {error.strerror}; see EDGECOUNT_MODELS"
        ) from error
    return folder, read_catalog(folder / CATALOG)


def find_model(name: str | None) -> FoundModel:
    """The file of a path, of a catalogue name, or of the default model (None).

    A path needs no catalogue, and is read as its file says.

    Raises:
        ModelError: neither a file nor a known name, or a model whose file is not there yet.
    """
    if name is not None and os.path.isfile(name):
        return FoundModel(Path(name))
    known = entries()
    for entry in known:
        if entry.is_default if name is None else entry.name == name:
            if entry.state != "there":
                raise ModelError(
                    f"{entry.name}: expected {entry.path}, got no such file ({entry.state}); "
                    f"{entry.remedy}"
                )
            return FoundModel(entry.path, entry.family, entry.class_names)
    names = ", ".join(e.name for e in known)
    raise ModelError(f"{name or 'the default model'}: expected a file or one of {names}")


def verified(entry: CatalogEntry) -> tuple[bool, str]:
    """Whether nothing is wrong with a model's file, and what was found.

    A model that was never downloaded or made is nothing wrong.
    """
    if entry.state != "there":
        return entry.state != "missing", f"{entry.state}; {entry.remedy}"
    try:
        found = sha256_of(entry.path)
    except ModelError as error:
        return False, str(error)
    if entry.sha256 is None:
        return True, f"sha256 {found}; the catalogue has none to compare it with"
    if found != entry.sha256:
        return False, f"expected sha256 {entry.sha256}, got {found}"
    return True, f"sha256 {found}"


def sha256_of(path: Path) -> str:
    """Hash of a file, as hexadecimal digits.

    Raises:
        ModelError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ModelError(f"{path}: expected to read it, got {error.strerror}") from error
    return digest.hexdigest()


def _entry(name: str, model: dict[str, Any], folder: Path, is_own: bool) -> CatalogEntry:
    classes, size = model.get("classes"), model.get("input", "any")
    return CatalogEntry(
        name=name,
        path=_place(model, folder, is_own),
        licence=model["licence"],
        description=" ".join(model["description"].split()),
        family=model.get("family"),
        class_names=CLASS_LISTS[classes]
        if isinstance(classes, str)
        else None
        if classes is None
        else tuple(classes),
        input_hw=None if size == "any" else (size[0], size[1]),
        sha256=model.get("sha256"),
        size_bytes=model.get("bytes"),
        url=model.get("url"),
        homepage=model.get("homepage"),
        export=model.get("export"),
        is_own=is_own,
    )


def _place(model: dict[str, Any], folder: Path, is_own: bool) -> Path:
    """Where a model's file is. What the package does not bring is the user's to put in place."""
    path = folder / str(model["file"])
    if is_own or os.path.isfile(path) or not ("url" in model or "export" in model):
        return path
    try:
        return user_folder() / str(model["file"])
    except ModelError:
        return path
