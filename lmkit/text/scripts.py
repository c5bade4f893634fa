"""Scripts that are written without spaces between words, and how much of a text is in them.

Ranges are the blocks of the Unicode character database; what a block holds beside letters
(digits, signs) does not change the shares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HAN, KANA = CHARACTERS = ("Chinese characters (Han)", "Japanese kana")
"""Scripts of which the tokenizer ``word`` takes each character of Han and Hiragana alone."""
UNSPACED: dict[str, tuple[tuple[int, int], ...]] = {
    "Thai": ((0x0E00, 0x0E7F),),
    "Lao": ((0x0E80, 0x0EFF),),
    "Khmer": ((0x1780, 0x17FF), (0x19E0, 0x19FF)),
    "Burmese (Myanmar)": ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    "Tai Le": ((0x1950, 0x197F),),
    "New Tai Lue": ((0x1980, 0x19DF),),
    "Tai Tham": ((0x1A20, 0x1AAF),),
    "Tai Viet": ((0xAA80, 0xAADF),),
    "Balinese": ((0x1B00, 0x1B7F),),
    "Javanese": ((0xA980, 0xA9DF),),
    HAN: (
        (0x2E80, 0x2FDF),
        (0x3005, 0x3007),
        (0x3021, 0x3029),
        (0x3400, 0x4DBF),
        (0x4E00, 0x9FFF),
        (0xF900, 0xFAFF),
        (0x20000, 0x323AF),
    ),
    KANA: ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
}
"""Names and blocks of these scripts."""


def unspaced_shares(tokens: Sequence[str], counts: NDArray[np.integer]) -> dict[str, float]:
    """The share of the characters of a text in each script of `UNSPACED` that it has, the largest
    first. ``tokens`` [n] stand ``counts`` [n] times in the text."""
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    joined = "".join(tokens).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(joined, np.uint32)
    weights = np.repeat(np.asarray(counts, np.int64), lengths)
    total = max(int(weights.sum()), 1)
    shares = {}
    for name, blocks in UNSPACED.items():
        inside = np.zeros(len(points), bool)
        for first, last in blocks:
            inside |= (points >= first) & (points <= last)
        shares[name] = int(weights[inside].sum()) / total
    return {name: shares[name] for name in sorted(shares, key=lambda n: -shares[n]) if shares[name]}
