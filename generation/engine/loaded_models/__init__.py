"""Models in memory: how one is loaded and held there, and what may be changed about it for a while."""
