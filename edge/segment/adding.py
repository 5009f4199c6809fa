"""Adding a model to the user's catalogue: first tried, then copied, then named, all or nothing.

The file gets the first digits of its hash in its name, so that a model that takes another one's
place never mixes with it: the catalogue, replaced in one step, is what makes it known.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ModelError
from edge.segment.catalog import (
    CATALOG,
    CatalogEntry,
    brought_catalog,
    entries,
    own_catalog,
    sha256_of,
    user_folder,
)
from edge.segment.catalog_file import CLASS_LISTS, NAME, write_catalog
from edge.segment.limits import Limits
from edge.segment.segmenter import Segmenter
from edge.segment.session import Session


@dataclass(frozen=True, slots=True)
class Addition:
    """What is said of a model that is added; what is left out, the file and the catalogue say."""

    name: str
    family: str | None = None
    class_names: Sequence[str] | None = None
    licence: str | None = None
    sha256: str | None = None
    url: str | None = None  # where it came from
    replaces: bool = False  # may take the place of one of this name


def add(file: Path, wish: Addition, moves: bool = False) -> CatalogEntry:
    """Put a model into the user's folder and catalogue.

    Args:
        file: an ONNX file.
        wish: what is said of it.
        moves: take `file` itself, which lies in the user's folder, instead of a copy.

    Returns:
        Its entry.

    Raises:
        ModelError: a name that cannot be or is taken, another hash than said, no instance
            segmentation model, or a folder that cannot be written. Nothing has changed then.
    """
    check_free(wish)
    found = sha256_of(file)
    planned = _planned(wish)
    expected = wish.sha256 or planned.get("sha256")
    if expected and found != expected:
        raise ModelError(f"{file}: expected sha256 {expected}, got {found}")
    model = _tried(file, wish, planned)
    path = Path(f"{wish.name}-{found[:8]}.onnx")
    with _locked(user_folder()) as folder:
        check_free(wish)  # somebody else may have been quicker
        own = own_catalog()
        content = own[1] if own else {"models": {}}
        before = content["models"].get(wish.name, {}).get("file")
        is_new = not os.path.isfile(folder / path) or sha256_of(folder / path) != found
        if is_new:
            _placed(file, folder / path, found, moves)
        content["models"][wish.name] = {"file": str(path), **model, "sha256": found}
        content["models"][wish.name]["bytes"] = (folder / path).stat().st_size
        try:
            write_catalog(folder / CATALOG, content)
        except ModelError:
            if is_new:
                (folder / path).unlink(missing_ok=True)
            raise
        files = [model["file"] for model in content["models"].values()]
        if before and before not in files and Path(before).name == before:
            (folder / before).unlink(missing_ok=True)
    return next(entry for entry in entries() if entry.name == wish.name)


def check_free(wish: Addition) -> None:
    """Raise if a model cannot have its name.

    Raises:
        ModelError: no name can be like this, or another model has it.
    """
    if not NAME.fullmatch(wish.name):
        raise ModelError(f"{wish.name!r}: expected a name of letters, digits and . _ -")
    known = next((entry for entry in entries() if entry.name == wish.name), None)
    if known and known.state == "there" and not wish.replaces:
        raise ModelError(
            f"{wish.name}: expected a name that is free, got that of {known.path}; choose another "
            "--name, or add --replace"
        )


def _planned(wish: Addition) -> dict[str, Any]:
    """What the package's catalogue says of a model of this name, unless another replaces it."""
    brought = brought_catalog()
    planned: dict[str, Any] = brought[1]["models"].get(wish.name, {}) if brought else {}
    return {} if wish.replaces and "sha256" in planned else planned


def _tried(file: Path, wish: Addition, planned: dict[str, Any]) -> dict[str, Any]:
    """What the catalogue is to say of a model, found by running it."""
    classes = planned.get("classes")
    names = wish.class_names or (CLASS_LISTS.get(classes) if isinstance(classes, str) else classes)
    session = Session(file, "cpu")
    segmenter = Segmenter(session, Limits(), None, wish.family or planned.get("family"), names)
    metadata, shape = session.file.metadata, session.file.input_shape[-2:]
    stated = metadata.get("license", metadata.get("licence", "")).strip()
    class_names = segmenter.class_names
    listed = next((key for key, its in CLASS_LISTS.items() if its == class_names), None)
    said: dict[str, Any] = {
        "family": segmenter.reading.family,
        "licence": wish.licence or planned.get("licence") or stated or "unknown",
        "description": planned.get("description", f"Added from {file.name}."),
        "classes": listed or list(class_names),
        "input": list(shape) if all(shape) else "any",
    }
    url, homepage = wish.url or planned.get("url"), planned.get("homepage")
    return said | ({"url": url} if url else {}) | ({"homepage": homepage} if homepage else {})


def _placed(file: Path, target: Path, sha256: str, moves: bool) -> None:
    """Put a file in its place, whole and on the disk."""
    partial = target.with_name(target.name + ".partial")
    try:
        if moves:
            os.replace(file, target)
            return
        digest = hashlib.sha256()
        with file.open("rb") as source, partial.open("wb") as copy:
            while block := source.read(1 << 20):
                digest.update(block)
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != sha256:
            raise ModelError(f"{file}: expected a file that stays as it is, got other bytes")
        os.replace(partial, target)
    except OSError as error:
        raise ModelError(f"{target}: expected to write the model, got {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """The user's folder, made if it is not there, for one process at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ModelError(
            f"{folder}: expected a folder for models that can be written, got {error.strerror}; "
            "set EDGECOUNT_MODELS to another one"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)
