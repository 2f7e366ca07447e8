"""Which models there are, how each family is called, what a model needs, and how its files get here."""
