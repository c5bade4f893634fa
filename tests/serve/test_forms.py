"""What a request may hold: numbers that Python reads in ways of its own."""

from __future__ import annotations

import pytest

from lmkit.serving.endpoints import endpoints
from lmkit.serving.limits import Limits
from lmkit.serving.refusals import Refused

FORMS = {each.path: each.form for each in endpoints(Limits())}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/next", b'{"top": 1e400}'),  # infinity for Python
        ("/next", b'{"top": -1e400}'),
        ("/next", b'{"top": 2.5}'),
        ("/next", b'{"top": %s}' % (b"9" * 400)),  # past what a float holds
        ("/next", b'{"top": %s}' % (b"9" * 9000)),  # past what int() reads
        ("/generate", b'{"temperature": 1e400}'),
        ("/generate", b'{"temperature": %s}' % (b"9" * 400)),
        ("/v1/completions", b'{"prompt": [1e400]}'),
        ("/v1/completions", b'{"prompt": [[1, 1e400]]}'),
        ("/v1/completions", b'{"logit_bias": {"1": 1e400}}'),
        ("/v1/completions", b'{"best_of": -1e400}'),
    ],
    ids=lambda given: given.decode()[:40] if isinstance(given, bytes) else given,
)
def test_numbers_that_are_none_here_are_refused(path: str, body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        FORMS[path].read(body)
    assert refused.value.status == 400


def test_whole_numbers_may_be_written_with_a_point() -> None:
    assert FORMS["/next"].read(b'{"top": 3.0}')["top"] == 3
    assert FORMS["/next"].read(b'{"top": 1e1}')["top"] == 10
