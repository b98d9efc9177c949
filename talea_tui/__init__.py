"""The terminal application, and the plain commands beside it."""

__version__ = "0.1.0"
