"""Why a picture is not taken, as short codes; ``generation.sentences`` makes them readable."""

from enum import StrEnum


class Refusal(StrEnum):
    """The reasons of ImageRefused, each with the data that its sentence names."""

    EMPTY = "empty"
    TOO_MANY_BYTES = "too_many_bytes"  # limit_bytes
    FOREIGN_FORMAT = "foreign_format"  # format: a value of ForeignFormat
    UNKNOWN_FORMAT = "unknown_format"
    TOO_MANY_PIXELS = "too_many_pixels"  # format, limit_megapixels
    SIDE_TOO_LONG = "side_too_long"  # format, width, height, limit
    TOO_MANY_SCANS = "too_many_scans"  # limit
    TOO_MUCH_METADATA = "too_much_metadata"  # format
    DAMAGED = "damaged"  # format
    TOO_SLOW = "too_slow"  # seconds
    TOO_MUCH_MEMORY = "too_much_memory"
    CRASHED = "crashed"
    RESULT_TOO_LARGE = "result_too_large"  # max_bytes; of a result, not of a picture that was sent in
