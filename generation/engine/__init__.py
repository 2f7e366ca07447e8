"""Image computation inside the executor process; the only package that imports torch and diffusers."""
