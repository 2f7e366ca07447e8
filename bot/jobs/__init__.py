"""A job's life, from the picture that comes in to the message that goes out."""
