"""The life of a job, from the incoming picture to the outgoing message."""
