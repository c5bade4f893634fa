"""Numbers as text, many at a time: a row of bytes each, in which NUL stands for nothing.

Four digits come from a table at a time. ``R`` is the number of numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LN10 = float(np.log(10))
LOG10_ZERO = -99.0
"""What files say of a probability or weight of 0: SRILM's word for it, which KenLM reads."""

WIDTH = 16
"""Bytes of a number with a point: sign, two digits, point, twelve decimals."""

_DECIMALS = 12
_LEAST, _MOST = 1e-4, 100.0
"""Numbers between are written without an exponent, in `WIDTH` bytes."""
_NEAR_TIE = 1e-6
"""So near the middle between two numbers of nine digits, `float` says which is nearer."""

_LOWEST_POWER = -2
_POWERS = 10.0 ** np.arange(_LOWEST_POWER, 28)
_TENS = 10 ** np.arange(_DECIMALS + 1)


def _four(number: int, strip: bool) -> bytes:
    text = f"{number:04d}"
    return (text.rstrip("0") if strip else text).encode().ljust(4, b"\0")


def _head(number: int, point: bool, negative: bool) -> bytes:
    sign, dot = b"-" if negative else b"\0", b"." if point else b"\0"
    return sign + str(number).encode().rjust(2, b"\0") + dot


_FOURS = np.frombuffer(
    b"".join(_four(number, strip) for strip in (False, True) for number in range(10_000)), np.uint32
)
"""Four digits; from 10,000 on, without the zeros at the end."""
_LED_FOURS = np.frombuffer(
    b"".join(str(number).encode().rjust(4, b"\0") for number in range(10_000)), np.uint32
)
"""Up to four digits, without zeros before them."""
_HEADS = np.frombuffer(
    b"".join(
        _head(number, point, negative)
        for negative in (False, True)
        for point in (False, True)
        for number in range(100)
    ),
    np.uint32,
)
"""What stands before the decimals."""


def log10_text(stored: NDArray[np.float32]) -> NDArray[np.uint8]:
    """log10 for the natural logarithms ``stored`` [R], each in the seven, eight or nine digits
    that give back the very float32, as ``%.9g`` would write it: [R, WIDTH]."""
    impossible = np.isneginf(stored)
    values = np.where(impossible, LOG10_ZERO, stored.astype(np.float64) / LN10)
    size = np.abs(values)
    usual = (size >= _LEAST) & (size < _MOST) | (size == 0)
    # The place of the first digit is 1 for 10 to 99, 0 for 1 to 9, and so on.
    place = np.full(len(values), -4, np.int64)
    for bound in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
        place += size >= bound
    size = np.abs(_shortened(values, stored, place))
    decimals = 8 - place
    scaled = size * _POWERS[decimals - _LOWEST_POWER]
    whole = np.rint(scaled)
    usual &= np.abs(np.abs(scaled - whole) - 0.5) > _NEAR_TIE
    whole[~usual] = 0
    text = _fixed(whole.astype(np.int64) * _TENS[_DECIMALS - decimals], values < 0)
    for row in np.flatnonzero(~usual).tolist():
        number = short_log10(stored[row : row + 1])[0]
        text[row] = np.frombuffer((b"%.9g" % number).ljust(WIDTH, b"\0"), np.uint8)
    return text


def short_log10(stored: NDArray[np.float32]) -> NDArray[np.float64]:
    """log10 for the natural logarithms ``stored`` [R]: of the numbers that mean the same float32
    one with seven digits, or else with eight, where there is one."""
    impossible = np.isneginf(stored)
    values = np.where(impossible, LOG10_ZERO, stored.astype(np.float64) / LN10)
    with np.errstate(divide="ignore"):
        place = np.clip(np.floor(np.log10(np.abs(values))), -20, 8).astype(np.int64)
    return _shortened(values, stored, place)


def _shortened(
    values: NDArray[np.float64], stored: NDArray[np.float32], place: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``values`` in fewer digits where these mean ``stored``; the first one stands at ``place``."""
    result = values
    for digits in (8, 7):
        scale = _POWERS[digits - 1 - place - _LOWEST_POWER]
        rounded = np.rint(values * scale) / scale
        result = np.where((rounded * LN10).astype(np.float32) == stored, rounded, result)
    # Adding 0 makes 0 of -0.
    return result + 0.0


def _fixed(units: NDArray[np.int64], negative: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Text of ``units`` of 10^-12, which are below 100 times 10^12, with their signs."""
    high, low = np.divmod(units, 10_000)
    higher, middle = np.divmod(high, 10_000)
    whole, upper = np.divmod(higher, 10_000)
    text = np.empty((len(units), WIDTH // 4), np.uint32)
    nothing = low == 0
    text[:, 3] = _FOURS[low + 10_000]
    text[:, 2] = _FOURS[middle + 10_000 * nothing]
    nothing &= middle == 0
    text[:, 1] = _FOURS[upper + 10_000 * nothing]
    nothing &= upper == 0
    negative = negative & (units > 0)
    text[:, 0] = _HEADS[np.minimum(whole, 99) + 100 * ~nothing + 200 * negative]
    return text.view(np.uint8)


def count_text(values: NDArray[Any]) -> NDArray[np.uint8]:
    """The whole numbers ``values`` [R], from 0 to 2^63 - 1: [R, as many as it takes]."""
    values = values.astype(np.int64)
    groups = -(-len(str(int(values.max(initial=0)))) // 4)
    text = np.empty((len(values), groups), np.uint32)
    for group in range(groups - 1, -1, -1):
        values, four = np.divmod(values, 10_000)
        text[:, group] = np.where(values > 0, _FOURS[four], _LED_FOURS[four])
        if group < groups - 1:
            # Where this and all before it is 0, nothing is written.
            text[(values == 0) & (four == 0), group] = 0
    return text.view(np.uint8)
