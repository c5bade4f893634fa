"""Text to learn from: a catalogue, checked downloads, and the corpus that Python brings.

``dataset_path("builtin", "train")`` needs no network; `get_dataset` fetches the
others once, to the directory that `lmkit.datasets.location` names.
"""

from lmkit.datasets.builtin import builtin_corpus
from lmkit.datasets.catalogue import catalogue
from lmkit.datasets.library import dataset_path, get_dataset

__all__ = ["builtin_corpus", "catalogue", "dataset_path", "get_dataset"]
