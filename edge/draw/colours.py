"""Colours of tracks and classes, BGR."""

from __future__ import annotations

Colour = tuple[int, int, int]

# Okabe and Ito (2008), "Color Universal Design": told apart with any colour vision. BGR, black
# left out, ordered so that neighbouring ids differ in hue and in brightness.
PALETTE: tuple[Colour, ...] = (
    (0, 159, 230),  # orange
    (178, 114, 0),  # blue
    (66, 228, 240),  # yellow
    (167, 121, 204),  # reddish purple
    (233, 180, 86),  # sky blue
    (0, 94, 213),  # vermilion
    (115, 158, 0),  # bluish green
)
WHITE: Colour = (255, 255, 255)
DARK: Colour = (32, 32, 32)


def colour(track_id: int) -> Colour:
    """The BGR colour of a track: always the same for an id, different for the next one.

    >>> colour(1) == colour(8), colour(1) == colour(2)
    (True, False)
    """
    return PALETTE[(track_id - 1) % len(PALETTE)]


def class_colour(class_id: int) -> Colour:
    """The BGR colour of a class, of its outlines and labels.

    >>> class_colour(0) == class_colour(7), class_colour(0) == class_colour(1)
    (True, False)
    """
    return PALETTE[class_id % len(PALETTE)]
