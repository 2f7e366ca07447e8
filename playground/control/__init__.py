"""The control API: the page and tests use it to act as members, move the clock, inject faults and see everything."""
