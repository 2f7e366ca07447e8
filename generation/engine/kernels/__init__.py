"""How the layers compute on this machine: what was measured of it, and where their weights lie."""
