"""Tokenizer files of others, in and out.

`read` takes any of them, and knows the kind by the content: Hugging Face's ``tokenizer.json``,
GPT-2's two files, tiktoken's ranks, sentencepiece's ``.model``, BERT's ``vocab.txt``. Each gives
the ids that the package it comes from gives, and an error where lmkit does not have a part of it.
`write` is the way back for those kinds that others read.
"""

from lmkit.text.subwords.formats.reading import read as read
from lmkit.text.subwords.formats.writing import KINDS as KINDS
from lmkit.text.subwords.formats.writing import write as write

__all__ = ["KINDS", "read", "write"]
