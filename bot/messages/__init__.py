"""Requests by message, as an alternative to commands."""
