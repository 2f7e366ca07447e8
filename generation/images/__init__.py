"""Pictures in and out: decoding in a process that may be killed, fitting, and files that carry their parameters."""
