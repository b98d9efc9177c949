"""Writes the pictures of the screens."""
