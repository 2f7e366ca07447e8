"""Fixtures for every test of this repository."""
