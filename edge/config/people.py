"""Which classes of a model are people, whom pictures may have to hide."""

from __future__ import annotations

from collections.abc import Sequence

# What models call them, by COCO, Cityscapes, KITTI, VisDrone and others. One that is hidden though
# it need not be costs less than one that is not.
PEOPLE = (
    *("person", "people", "pedestrian", "rider", "cyclist", "motorcyclist", "human"),
    *("man", "woman", "child", "boy", "girl", "person_sitting"),
)


def people(class_names: Sequence[str], blur: bool | Sequence[str] = True) -> frozenset[int]:
    """The classes that are people.

    Args:
        class_names: of the model.
        blur: those that the config lists, if it lists any; the usual names otherwise.

    >>> sorted(people(["car", "Person", "dog"])), sorted(people(["car", "dog"], ["dog"]))
    ([1], [1])
    """
    if isinstance(blur, bool):
        return frozenset(k for k, name in enumerate(class_names) if name.casefold() in PEOPLE)
    return frozenset(k for k, name in enumerate(class_names) if name in blur)
