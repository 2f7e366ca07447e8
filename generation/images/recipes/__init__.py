"""How pictures were made, as far as their files say: one module for each program that writes it."""
