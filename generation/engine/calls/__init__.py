"""How networks are called: as they are, compiled, or by replays."""
