"""The model catalogue: `models/catalog.yaml`, and names to files."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from edge.errors import ModelError

# In a checkout, and where a wheel puts them.
FOLDERS = (
    Path(__file__).resolve().parents[2] / "models",
    Path(sys.prefix) / "share" / "edgecount" / "models",
)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One line of the catalogue."""

    name: str
    path: Path
    licence: str
    description: str
    sha256: str
    is_default: bool


def folder() -> Path:
    """Where the models lie: $EDGECOUNT_MODELS, else with the package."""
    if "EDGECOUNT_MODELS" in os.environ:
        return Path(os.environ["EDGECOUNT_MODELS"])
    return next((f for f in FOLDERS if (f / "catalog.yaml").is_file()), FOLDERS[0])


def entries() -> list[CatalogEntry]:
    """All models of the catalogue, in its order.

    Raises:
        ModelError: there is no readable catalogue.
    """
    path = folder() / "catalog.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        default = content["default"]
        return [
            CatalogEntry(
                name,
                folder() / str(m["file"]),
                str(m["licence"]),
                str(m["description"]),
                str(m["sha256"]),
                name == default,
            )
            for name, m in content["models"].items()
        ]
    except OSError as error:
        raise ModelError(
            f"{path}: expected the model catalogue, got {error.strerror}; set EDGECOUNT_MODELS to "
            "the folder `models` of the repository, or give --model a path"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: expected default and models with file, licence, description and sha256, got "
            f"{' '.join(str(error).split())}"
        ) from error


def find_model(name: str | None) -> Path:
    """The file of a catalogue name, of a path, or of the default model (None).

    Raises:
        ModelError: neither a file nor a known name.
    """
    if name is not None and Path(name).is_file():
        return Path(name)
    known = entries()
    for entry in known:
        if entry.is_default if name is None else entry.name == name:
            return entry.path
    names = ", ".join(e.name for e in known)
    raise ModelError(f"{name or 'the default model'}: expected a file or one of {names}")
