"""What computes a picture, inside the executor's process: the only place that imports torch and diffusers."""
