"""Which models there are, how each kind is called, what it needs, and how its files come here."""
