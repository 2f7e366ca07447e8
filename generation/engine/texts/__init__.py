"""What a denoiser is told about a prompt: how texts are read and encoded."""
