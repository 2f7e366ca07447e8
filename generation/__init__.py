"""Image-to-image generation behind a queue, an executor process and a handful of values; knows no Discord."""
