"""The data kept about a member, and its deletion."""
