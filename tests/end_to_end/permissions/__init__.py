"""Who may do what: who they are, and what they do, each act through the stand-in."""
