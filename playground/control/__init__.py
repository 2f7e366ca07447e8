"""Let a page and tests act as members, move the clock, break things and look at everything."""
