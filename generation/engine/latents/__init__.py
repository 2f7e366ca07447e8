"""Pictures to latents and back, and how a picture looks meanwhile."""
