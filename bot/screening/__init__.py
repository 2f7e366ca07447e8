"""Checks every prompt and picture against a server's policy, before anybody sees it."""
