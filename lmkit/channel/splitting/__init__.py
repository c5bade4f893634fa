"""Spaces for text that has lost them: stretches of letters cut into words."""
