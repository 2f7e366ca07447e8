"""Pictures to latents and back, and previews on the way."""
