"""What is kept about a member, and its deletion."""
