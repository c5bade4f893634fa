"""Models of typing errors: edits with probabilities, learnt from pairs. One file a channel."""
