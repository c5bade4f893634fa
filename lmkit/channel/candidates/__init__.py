"""The lexicon, and which of its words may have been meant by a typed one."""
