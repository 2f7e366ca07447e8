"""Child processes that may be killed: messages over pipes, the parent's handle, and what a child does at startup."""
