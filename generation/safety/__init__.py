"""What a prompt and a picture show, as verdicts: labels with scores. What follows from them is decided elsewhere."""
