"""Who may do what: the people and their actions, each performed through the stand-in."""
