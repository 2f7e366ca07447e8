"""Child processes that may be killed: messages over pipes, a parent's handle, and what a child does at its start."""
