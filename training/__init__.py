"""Data, recipe and evaluation of the embedded demo model."""
