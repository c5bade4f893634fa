"""CCNet's way to write a line before it is scored."""

from __future__ import annotations

import pytest

from lmkit.text.ccnet import normalized


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("  Plain Words\t", "plain words"),
        ("ÄÖÜ é ñ ç ő", "aou e n c o"),
        ("Straße, ŁÓDŹ, ØRE", "straße, łodz, øre"),
        ("room 42B, 1984", "room 00b, 0000"),
        ("１９ ٤٢ ४", "00 00 0"),
        ("«oui» „ja“ ”so”", '"oui" "ja" "so"'),
        ("it’s ´so´", "it's 'so'"),
        ("a – b—c…", "a - b - c..."),
        ("東京、大阪。（本当？）！", "東京,大阪.(本当?)!"),
        ("「一」《二》【三】〈四〉", '"一""二"[三]<四>'),
        ("５％：～；．", "0%:~;. "),
        ("━ ►", "- -"),
        ("Й ё", "и е"),
        ("한", "\u1112\u1161\u11ab"),
        ("e\u0301 n\u0303o", "e no"),
        ("a\x00b\x1fc\x7fd\x85e\x9ff\tg", "abcdefg"),
        ("\u3000wide\u3000", "wide"),
        ("ΟΔΟΣ", "οδος"),
        ("", ""),
        (" \t ", ""),
        ("½ ² Ⅷ", "½ ² ⅷ"),
    ],
)
def test_a_line(line, written):
    assert normalized(line) == written
