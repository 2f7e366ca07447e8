"""Compares perceptual hashes."""

HASH_DIGITS = 32
MAX_DISTANCE = 12  # of 128 bits: a copy in another size and JPEG has a few, two pictures have dozens


def is_alike(first: str, second: str) -> bool:
    """Tell whether two perceptual hashes belong to the same picture, perhaps in another size or format."""
    return (int(first, 16) ^ int(second, 16)).bit_count() <= MAX_DISTANCE
