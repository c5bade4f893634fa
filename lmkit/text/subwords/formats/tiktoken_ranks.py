"""tiktoken's ranks: a line for each token, its bytes in base64 and its rank, which is its id.

The file says neither how text is cut into pieces nor which special tokens there are: whoever reads
it says both. The patterns of OpenAI's own encodings are known by their sizes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from lmkit.errors import FormatError, UnsupportedError, UsageError, one_line
from lmkit.text.subwords.alphabet import CHARACTERS, spell
from lmkit.text.subwords.foreign_bpe import Merges
from lmkit.text.subwords.foreign_patterns import LETTERS, PATTERNS, SIZES, cut_by
from lmkit.text.subwords.parts import REWRITE
from lmkit.text.tokenizers.imported import ImportedTokenizer


def from_text(
    text: str, pattern: str | None = None, special_tokens: Mapping[str, int] | None = None
) -> ImportedTokenizer:
    """The tokenizer of the lines of a ranks file.

    ``pattern`` is ``gpt2``, ``gpt4``, ``gpt4o`` or a regular expression; None is that of the
    public encoding with so many tokens. ``special_tokens`` have an id each; without them their
    text is cut as any other (``encode_ordinary``).

    Raises `FormatError` for damage, `UsageError` where the pattern is not known.
    """
    ranks = ranks_of(text)
    specials = dict(special_tokens or {})
    present = {*ranks.values(), *specials.values()}
    missing = next((rank for rank in range(max(ranks.values())) if rank not in present), None)
    if missing is not None:
        raise FormatError(
            f"no token has the rank {missing}, and no special token is given for it", REWRITE
        )
    if pattern is None:
        pattern = SIZES.get(len(ranks))
    if pattern is None:
        raise UsageError(
            "a file of ranks does not say how text is cut before its tokens are looked for",
            "lmkit train-tokenizer --from FILE --pattern gpt2 --output OTHER.tok, or another"
            f" pattern: {', '.join(name for name in PATTERNS if name != 'gpt2')} or a regular"
            " expression",
        )
    ordered = sorted(ranks, key=ranks.__getitem__)
    ids = sorted(ranks.values())
    merges = merges_of(ranks)
    return ImportedTokenizer(
        {"type": "RankBPE"} if merges is None else {"type": "BPE", "ignore_merges": True},
        [[token, None] for token in ordered],
        merges or (),
        pre_tokenizer=cut_by(PATTERNS.get(pattern, pattern), pattern in PATTERNS),
        decoder=LETTERS,
        added_tokens=[
            {
                "id": number,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token, number in specials.items()
        ],
        ids=None if ids == list(range(len(ids))) else ids,
    )


def ranks_of(text: str) -> dict[str, int]:
    """The rank of each token, which is written in letters for bytes.

    Raises `FormatError` with the line that is damaged or says what another has said, and where
    one of the 256 bytes has no rank.
    """
    ranks: dict[str, int] = {}
    taken: dict[int, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line:
            continue
        encoded, _, rank_text = line.partition(" ")
        try:
            token = spell(base64.b64decode(encoded, validate=True))
            if not (rank_text.isascii() and rank_text.isdigit() and len(rank_text) < 10 and token):
                raise ValueError
        except (binascii.Error, ValueError) as error:
            raise FormatError(
                f"line {number} of the ranks, {one_line(line)!r}, is not base64 and a number",
                REWRITE,
            ) from error
        rank = int(rank_text)
        if token in ranks or rank in taken:
            other = taken.get(rank, taken.get(ranks.get(token, -1)))
            raise FormatError(
                f"lines {other} and {number} of the ranks give the same token or rank", REWRITE
            )
        ranks[token] = rank
        taken[rank] = number
    for byte, letter in enumerate(CHARACTERS):
        if letter not in ranks:
            raise FormatError(f"the byte 0x{byte:02X} has no rank", REWRITE)
    return ranks


def merges_of(ranks: Mapping[str, int]) -> list[tuple[str, str]] | None:
    """The merges by which tiktoken makes each token, in the order of their ranks; None if there is
    a token that lower ranks do not leave in two parts.

    tiktoken merges neighbours whose text together has a rank, the lowest first. Within a token all
    lower ranks have had their turn before its own comes. If they always leave two parts, no other
    two can ever become the token.
    """
    merges = Merges()
    ordered = sorted(ranks, key=ranks.__getitem__)
    ids = {token: number for number, token in enumerate(ordered)}
    pairs = []
    for number, token in enumerate(ordered):
        if len(token) > 1:
            parts = merges(ids[letter] for letter in token)
            if len(parts) != 2:
                return None
            merges.add(parts[0], parts[1], number, number)
            pairs.append((ordered[parts[0]], ordered[parts[1]]))
    return pairs


def require_same(text: str, merges: Sequence[Sequence[str]]) -> None:
    """Raises `UnsupportedError` unless the ranks in ``text`` stand for just these ``merges``."""
    if [*map(tuple, merges)] != merges_of(ranks_of(text)):
        raise UnsupportedError(
            "the tokens do not have ids in the order of their merges, as ranks would say",
            "tokenizer.json, which has the merges beside the ids",
        )


def as_text(ranks: Mapping[bytes, int]) -> str:
    """The lines of a ranks file."""
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    return "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ordered)
