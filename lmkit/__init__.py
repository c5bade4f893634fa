"""lmkit: classic language models behind one train / score / generate interface.

>>> import lmkit
>>> model = lmkit.load("model.lm")                                    # doctest: +SKIP
>>> log_probs, state = model.score("the cat sat")                     # doctest: +SKIP

Names are imported when they are first used, so that ``import lmkit`` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "train": "lmkit.api",
    "load": "lmkit.api",
    "append": "lmkit.api",
    "resmooth": "lmkit.api",
    "prune": "lmkit.api",
    "mix": "lmkit.api",
    "merge": "lmkit.api",
    "import_model": "lmkit.api",
    "export_model": "lmkit.api",
    "train_channel": "lmkit.api",
    "train_tokenizer": "lmkit.api",
    "load_tokenizer": "lmkit.api",
    "surprisals": "lmkit.evaluate.surprisal",
    "as_frame": "lmkit.evaluate.surprisal",
    "Corrector": "lmkit.channel.corrector",
    "TextSettings": "lmkit.text.settings",
    "Batch": "lmkit.model",
    "Generated": "lmkit.model",
    "LanguageModel": "lmkit.model",
    "Sampling": "lmkit.sampling",
    "Perplexity": "lmkit.measures",
    "LmkitError": "lmkit.errors",
}

__all__ = ["__version__", "kenlm", *_WHERE]  # noqa: PLE0604

if TYPE_CHECKING:
    from lmkit.api import append as append
    from lmkit.api import export_model as export_model
    from lmkit.api import import_model as import_model
    from lmkit.api import load as load
    from lmkit.api import load_tokenizer as load_tokenizer
    from lmkit.api import merge as merge
    from lmkit.api import mix as mix
    from lmkit.api import prune as prune
    from lmkit.api import resmooth as resmooth
    from lmkit.api import train as train
    from lmkit.api import train_channel as train_channel
    from lmkit.api import train_tokenizer as train_tokenizer
    from lmkit.channel.corrector import Corrector as Corrector
    from lmkit.errors import LmkitError as LmkitError
    from lmkit.evaluate.surprisal import as_frame as as_frame
    from lmkit.evaluate.surprisal import surprisals as surprisals
    from lmkit.integrations import kenlm as kenlm
    from lmkit.measures import Perplexity as Perplexity
    from lmkit.model import Batch as Batch
    from lmkit.model import Generated as Generated
    from lmkit.model import LanguageModel as LanguageModel
    from lmkit.sampling import Sampling as Sampling
    from lmkit.text.settings import TextSettings as TextSettings


def __getattr__(name: str) -> Any:
    if name == "kenlm":
        return import_module("lmkit.integrations.kenlm")
    if name not in _WHERE:
        raise AttributeError(f"module 'lmkit' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
