"""How layers compute on this machine: what was measured to be fast, and how weights are laid out."""
