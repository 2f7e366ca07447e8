"""Faster startup: work of the libraries that is cached, deferred or avoided."""
