"""The noisy channel: what was typed, given what was meant; and finding out what was meant."""
