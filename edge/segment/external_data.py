"""Whether an ONNX file keeps weights in other files beside it, found in its bytes alone.

An ONNX file is a protobuf message (onnx.proto3 of onnx/onnx). A tensor whose `data_location` is
EXTERNAL names a file in its `external_data`. onnxruntime, that is given bytes, looks for it in the
folder where the command was started.
"""

from __future__ import annotations

from collections.abc import Iterator

# By kind of message: the fields that hold others in which tensors can be, and their kind.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1  # of a tensor
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # how a field is written
_KEY = b"\x0a\x08location"  # how every entry that names a file begins


def other_files(model: bytes) -> list[str]:
    """Names of the files that have weights of a model, each once; none if it is whole, or no model.

    Cost:
        A search through the bytes; messages are read only where a name may be.
    """
    if _KEY not in model:
        return []
    try:
        return list(dict.fromkeys(_names(memoryview(model), "model")))
    except (IndexError, ValueError, RecursionError):
        return []  # no ONNX file: that is told by whoever opens it


def _names(message: memoryview, kind: str) -> Iterator[str]:
    if kind == "tensor":
        yield from _of_tensor(message)
        return
    inside = _INSIDE[kind]
    for number, value in _fields(message):
        if number in inside and isinstance(value, memoryview):
            yield from _names(value, inside[number])


def _of_tensor(message: memoryview) -> Iterator[str]:
    fields = list(_fields(message))
    if (_DATA_LOCATION, _EXTERNAL) not in fields:
        return
    for number, entry in fields:
        if number == _EXTERNAL_DATA and isinstance(entry, memoryview):
            texts = {n: bytes(t) for n, t in _fields(entry) if isinstance(t, memoryview)}
            if texts.get(1) == b"location":
                yield texts.get(2, b"").decode(errors="replace")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: whole numbers, and bytes of all that is longer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, how = tag >> 3, tag & 7
        if how == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if how == _BYTES:
            length, at = _varint(message, at)
        elif how in (_EIGHT, _FOUR):
            length = 8 if how == _EIGHT else 4
        else:
            raise ValueError("no protobuf message")
        if at + length > len(message):
            raise ValueError("no protobuf message")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A whole number, 7 bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("no protobuf message")
