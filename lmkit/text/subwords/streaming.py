"""Text from bytes that arrive bit by bit, never half a character."""

from __future__ import annotations

import codecs


class CharacterStream:
    """Bytes in, whole characters out.

    The bytes of a character that is not complete wait for those that follow. Bytes that can never
    become UTF-8, whatever follows, are given at once, as ``errors`` says: ``replace`` gives U+FFFD
    for each such sequence, which is text for people; ``surrogateescape`` gives a lone surrogate for
    each byte (PEP 383), of which the very bytes can be made again.
    """

    def __init__(self, errors: str = "replace") -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def feed(self, data: bytes) -> str:
        """The characters that ``data`` completes."""
        return self._decoder.decode(data)

    def finish(self) -> str:
        """What still waits: it will not become a character any more."""
        return self._decoder.decode(b"", final=True)


def whole_characters(text: str) -> str:
    """``text``, whose lone surrogates are bytes (PEP 383), for people: bytes that are no UTF-8 are
    U+FFFD, and those at the end that may still become a character are left out."""
    return CharacterStream().feed(text.encode(errors="surrogateescape"))
