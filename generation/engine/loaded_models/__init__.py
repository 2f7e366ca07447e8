"""Models in memory: how they are loaded and held there, and what may be changed about them for a while."""
