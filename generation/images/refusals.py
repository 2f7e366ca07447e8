"""Why a picture is refused: short codes, and the sentence for each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from generation.images.formats import ForeignFormat


class Refusal(StrEnum):
    """The reasons of ImageRefused; a comment lists the data that a sentence uses.

    If the file is a mask, the data has ``of_mask`` as well.
    """

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
    MASK_OF_ANOTHER_SHAPE = "mask_of_another_shape"  # width, height, mask_width, mask_height
    MASK_MARKS_NOTHING = "mask_marks_nothing"
    MASK_MARKS_EVERYTHING = "mask_marks_everything"
    RESULT_TOO_LARGE = "result_too_large"  # max_bytes; about a result, not about an uploaded picture


_AS_PICTURE = "send it as a JPEG or PNG"
_AS_FRAME = "send one frame of it as a JPEG or PNG"
_FOREIGN: Mapping[ForeignFormat, tuple[str, str]] = {
    ForeignFormat.HEIC: ("a HEIC photo", _AS_PICTURE),
    ForeignFormat.TIFF: ("a TIFF picture", _AS_PICTURE),
    ForeignFormat.RAW: ("a camera's raw photo", "develop it and send it as a JPEG"),
    ForeignFormat.BMP: ("a BMP picture", _AS_PICTURE),
    ForeignFormat.ICO: ("an icon file", _AS_PICTURE),
    ForeignFormat.JPEG_XL: ("a JPEG XL picture", _AS_PICTURE),
    ForeignFormat.JPEG_2000: ("a JPEG 2000 picture", _AS_PICTURE),
    ForeignFormat.PSD: ("a Photoshop file", "export it as a JPEG or PNG"),
    ForeignFormat.XCF: ("a GIMP file", "export it as a JPEG or PNG"),
    ForeignFormat.SVG: ("an SVG drawing", "export it as a PNG"),
    ForeignFormat.DDS: ("a DDS texture", "export it as a PNG"),
    ForeignFormat.QOI: ("a QOI picture", _AS_PICTURE),
    ForeignFormat.EXR: ("an OpenEXR picture", _AS_PICTURE),
    ForeignFormat.PNM: ("a PNM picture", _AS_PICTURE),
    ForeignFormat.PDF: ("a PDF document", "send the page that you want as a JPEG or PNG"),
    ForeignFormat.EPS: ("a PostScript document", "export it as a PNG"),
    ForeignFormat.MP4: ("an MP4 video", _AS_FRAME),
    ForeignFormat.QUICKTIME: ("a QuickTime video", _AS_FRAME),
    ForeignFormat.WEBM: ("a WebM or Matroska video", _AS_FRAME),
    ForeignFormat.AVI: ("an AVI video", _AS_FRAME),
    ForeignFormat.OGG: ("an Ogg file", "send a picture as a JPEG or PNG"),
    ForeignFormat.SOUND: ("a sound file", "send a picture as a JPEG or PNG"),
    ForeignFormat.ARCHIVE: ("an archive", "unpack it and send one picture from it"),
    ForeignFormat.PROGRAM: ("a program", "send a picture as a JPEG or PNG"),
    ForeignFormat.HTML: ("a web page", "save the picture itself and send that"),
    ForeignFormat.JSON: ("a JSON file", "send a picture as a JPEG or PNG"),
    ForeignFormat.TEXT: ("a text file", "send a picture as a JPEG or PNG"),
}

_SENTENCES: Mapping[Refusal, str] = {
    Refusal.EMPTY: "This file is empty. Please send the picture again.",
    Refusal.TOO_MANY_BYTES: "This file is larger than {limit_mebibytes} MiB. Please send a smaller version of it.",
    Refusal.FOREIGN_FORMAT: "This is {foreign}. Please {remedy}.",
    Refusal.UNKNOWN_FORMAT: "This file can't be read as a picture. Please send a PNG, JPEG, GIF, WebP or AVIF.",
    Refusal.TOO_MANY_PIXELS: (
        "This {format} picture has more than {limit_megapixels} megapixels, the limit for this format. "
        "Please send a smaller version of it."
    ),
    Refusal.SIDE_TOO_LONG: (
        "This {format} picture is {width} × {height} pixels, and no side may be longer than {limit}. "
        "Please send a smaller version or a part of it."
    ),
    Refusal.TOO_MANY_SCANS: (
        "This JPEG picture has more than {limit} scans, which photos never have. Please save it again and send that."
    ),
    Refusal.TOO_MUCH_METADATA: (
        "This {format} picture contains too much hidden data. Please save it without metadata and send that."
    ),
    Refusal.DAMAGED: (
        "This {format} picture is damaged or incomplete. Please save or download it again and send the new file."
    ),
    Refusal.TOO_SLOW: (
        "This picture couldn't be read within {seconds:g} seconds."
        " Please save it as an ordinary PNG or JPEG and send that."
    ),
    Refusal.TOO_MUCH_MEMORY: "This picture takes too much memory to read. Please send a smaller version of it.",
    Refusal.CRASHED: "This picture couldn't be read safely. Please save it again as a PNG or JPEG and send that.",
    Refusal.MASK_OF_ANOTHER_SHAPE: (
        "Your picture is {width} × {height} pixels, but your mask is {mask_width} × {mask_height}, which isn't the same"
        " shape. Please make both the same size."
    ),
    Refusal.MASK_MARKS_NOTHING: (
        "Your mask marks nothing. Please paint white over what should change, and leave the rest black."
    ),
    Refusal.MASK_MARKS_EVERYTHING: (
        "Your mask marks the whole picture. Please leave black what should stay, or leave out the mask."
    ),
    Refusal.RESULT_TOO_LARGE: "The new picture doesn't fit into {max_kibibytes} KiB. Please ask for a smaller size.",
}


def image_refused_sentence(reason: str, data: Mapping[str, Any]) -> str:
    """Return why a picture is refused and what to send instead."""
    refusal = Refusal(reason)
    shown = dict(data)
    if refusal is Refusal.FOREIGN_FORMAT:
        shown["foreign"], shown["remedy"] = _FOREIGN[ForeignFormat(data["format"])]
    elif refusal is Refusal.TOO_MANY_BYTES:
        shown["limit_mebibytes"] = f"{data['limit_bytes'] / 1024**2:.3g}"
    elif refusal is Refusal.RESULT_TOO_LARGE:
        shown["max_kibibytes"] = f"{data['max_bytes'] // 1024:,}"
    sentence = _SENTENCES[refusal].format_map(shown)
    return f"Your mask can't be used. {sentence}" if data.get("of_mask") else sentence
