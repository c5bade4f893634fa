"""The models of lmkit in lm-evaluation-harness (the package ``lm_eval``), as the model ``lmkit``.

    lm_eval --model lmkit --model_args path=model.lm --tasks TASK

That package finds this module by the entry point ``lmkit`` of the group ``lm_eval.models``, in
versions that look there. Earlier ones, such as 0.4.13, do not, and are started from here with the
same arguments:

    python -m lmkit.integrations.lm_eval --model lmkit --model_args path=model.lm --tasks TASK

What is scored, and how texts are cut, is in `lmkit.integrations.continuing`. Nothing is fetched.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from lm_eval.api.model import LM  # type: ignore[import-not-found, import-untyped, unused-ignore]
from lm_eval.api.registry import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    model_registry,
)

from lmkit.api import load
from lmkit.errors import UsageError
from lmkit.integrations.continuing import Continuing
from lmkit.sampling import Sampling

LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
KNOWN = frozenset(("until", "do_sample", "temperature", "top_k", "top_p", *LENGTHS))
_PART = 500
"""Requests between two steps of the progress bar."""
_log = logging.getLogger(__name__)


class LmkitLM(LM):  # type: ignore[misc, unused-ignore]
    """A model file of lmkit, of any backend that has a next token.

    ``path`` is the file. ``unknown_words`` ``spell`` (the default) pays for the letters of unknown
    words as ``lmkit perplexity`` does for bits per character; ``token`` pays for <unk> alone, so
    that all unknown words cost the same. ``state`` ``carry`` (the default) lets networks go on
    over line ends, ``line`` begins anew on each line. ``special_tokens`` is what a literal <s> or
    </s> is: ``word``, ``unknown`` (the default), ``drop`` or ``error``. ``max_gen_toks`` holds
    if a task says nothing. ``seed`` starts the random numbers of tasks that draw. ``is_greedy``
    False leaves out whether a continuation is the likeliest, which metrics such as that of LAMBADA
    need and multiple choice does not.

    The harness's own ``batch_size`` and ``device`` change nothing.
    """

    def __init__(
        self,
        path: str | Path,
        unknown_words: str = "spell",
        state: str = "carry",
        special_tokens: str = "unknown",
        max_gen_toks: int = 256,
        seed: int = 1234,
        is_greedy: bool = True,
        batch_size: Any = None,
        max_batch_size: Any = None,
        device: Any = None,
        **others: Any,
    ) -> None:
        super().__init__()
        if others:
            raise UsageError(
                f"the model lmkit has no argument {', '.join(others)}", "--model_args path=model.lm"
            )
        for name, value, known in (
            ("unknown_words", unknown_words, ("spell", "token")),
            ("state", state, ("carry", "line")),
        ):
            if value not in known:
                raise UsageError(f"{name} cannot be {value!r}", " or ".join(known))
        self.path = Path(str(path))
        self.continuing = Continuing(
            load(self.path),
            spelling=unknown_words == "spell",
            carry=state == "carry",
            special_tokens=special_tokens,
        )
        self._max_gen_toks = int(max_gen_toks)
        self._is_greedy = bool(is_greedy)
        self._generator = np.random.default_rng(int(seed))
        self._ignored: set[str] = set()

    @property
    def tokenizer_name(self) -> str:
        """What the harness knows its caches of requests by."""
        return f"lmkit:{self.path.resolve()}"

    def loglikelihood(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """See `lmkit.integrations.continuing.Continuing.continuations`."""
        found: list[tuple[float, bool]] = []
        for part in _parts(requests, "loglikelihood", disable_tqdm):
            pairs = [(str(context), str(continuation)) for context, continuation in part]
            found += self.continuing.continuations(pairs, self._is_greedy)
        return found

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """See `lmkit.integrations.continuing.Continuing.texts`."""
        found: list[float] = []
        for part in _parts(requests, "loglikelihood_rolling", disable_tqdm):
            found += self.continuing.texts([str(text) for (text,) in part])
        return found

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """See `lmkit.integrations.continuing.Continuing.written`."""
        found: list[str] = []
        for part in _parts(requests, "generate_until", disable_tqdm):
            for _, alike in groupby(part, key=lambda request: repr(request[1])):
                group = list(alike)
                options = self._options(group[0][1])
                contexts = [str(context) for context, _ in group]
                found += self.continuing.written(contexts, generator=self._generator, **options)
        return found

    def _options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What ``given`` by a task means for `Continuing.written`."""
        ignored = set(given) - KNOWN - self._ignored
        if ignored:
            self._ignored |= ignored
            _log.warning("lmkit does nothing with %s", ", ".join(sorted(ignored)))
        until = given.get("until") or []
        lengths = [given[name] for name in LENGTHS if given.get(name) is not None]
        temperature = float(given.get("temperature") or 0.0)
        sampling = None
        if given.get("do_sample", temperature > 0) and temperature > 0:
            sampling = Sampling(
                temperature, top_k=given.get("top_k") or None, top_p=given.get("top_p")
            )
        return {
            "until": [until] if isinstance(until, str) else list(until),
            "max_tokens": int(lengths[0]) if lengths else self._max_gen_toks,
            "sampling": sampling,
        }


def _parts(requests: Sequence[Any], name: str, quiet: bool) -> Any:
    """The arguments of ``requests``, some at a time, under a progress bar."""
    from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

    with tqdm(total=len(requests), desc=name, disable=quiet) as bar:
        for start in range(0, len(requests), _PART):
            part = [request.args for request in requests[start : start + _PART]]
            yield part
            bar.update(len(part))


def register() -> None:
    """Make ``lmkit`` a name of the harness, unless the entry point has done so."""
    # Those of the harness are only registered while there are none.
    import lm_eval.models  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401

    if "lmkit" not in model_registry:
        model_registry.register("lmkit", target=LmkitLM)


def main() -> None:
    """``lm_eval`` with the model ``lmkit``."""
    from lm_eval.__main__ import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        cli_evaluate,
    )

    cli_evaluate()


register()

if __name__ == "__main__":
    main()
