"""The format of a file, judged by its content alone: its name and declared type are never considered."""

import re
from enum import StrEnum


class Format(StrEnum):
    """The formats that are accepted: those that Discord itself treats as pictures."""

    PNG = "PNG"
    JPEG = "JPEG"
    GIF = "GIF"
    WEBP = "WebP"
    AVIF = "AVIF"


class ForeignFormat(StrEnum):
    """Formats that are recognised only to be refused by name."""

    HEIC = "HEIC"
    TIFF = "TIFF"
    RAW = "RAW"
    BMP = "BMP"
    ICO = "ICO"
    JPEG_XL = "JPEG XL"
    JPEG_2000 = "JPEG 2000"
    PSD = "PSD"
    XCF = "XCF"
    SVG = "SVG"
    DDS = "DDS"
    QOI = "QOI"
    EXR = "EXR"
    PNM = "PNM"
    PDF = "PDF"
    EPS = "EPS"
    MP4 = "MP4"
    QUICKTIME = "QuickTime"
    WEBM = "WebM"
    AVI = "AVI"
    OGG = "Ogg"
    SOUND = "sound"
    ARCHIVE = "archive"
    PROGRAM = "program"
    HTML = "HTML"
    JSON = "JSON"
    TEXT = "text"


# Signatures: https://en.wikipedia.org/wiki/List_of_file_signatures and each format's own specification.
# The order matters where one signature is the beginning of another.
_SIGNATURES: tuple[tuple[bytes, Format | ForeignFormat], ...] = (
    (rb"\x89PNG\r\n\x1a\n", Format.PNG),
    (rb"\xff\xd8\xff", Format.JPEG),
    (rb"GIF8[79]a", Format.GIF),
    (rb"RIFF.{4}WEBP", Format.WEBP),
    (rb"RIFF.{4}AVI ", ForeignFormat.AVI),
    (rb"RIFF.{4}WAVE", ForeignFormat.SOUND),
    (rb"II\*\0.{4}CR|IIU\0|IIR[OS]\x08\0|MMOR|FUJIFILMCCD-RAW|\0MRM", ForeignFormat.RAW),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", ForeignFormat.TIFF),
    (rb"BM.{4}\0\0\0\0", ForeignFormat.BMP),
    (rb"\0\0[\1\2]\0[^\0]", ForeignFormat.ICO),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", ForeignFormat.JPEG_XL),
    (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n", ForeignFormat.JPEG_2000),
    (rb"8BP[SB]", ForeignFormat.PSD),
    (rb"gimp xcf", ForeignFormat.XCF),
    (rb"DDS ", ForeignFormat.DDS),
    (rb"qoif", ForeignFormat.QOI),
    (rb"\x76\x2f\x31\x01", ForeignFormat.EXR),
    (rb"P[1-7][ \t\r\n]", ForeignFormat.PNM),
    (rb"%!PS|\xc5\xd0\xd3\xc6", ForeignFormat.EPS),
    (rb"\x1a\x45\xdf\xa3", ForeignFormat.WEBM),
    (rb"OggS", ForeignFormat.OGG),
    (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]|fLaC|#!AMR|MThd", ForeignFormat.SOUND),
    (rb"PK\x03\x04|PK\x05\x06|Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", ForeignFormat.ARCHIVE),
    (rb"MZ|\x7fELF|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe", ForeignFormat.PROGRAM),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
_HEAD_BYTES = 4096


def sniff(data: bytes) -> Format | ForeignFormat | None:
    """Recognise the format of a file by its first 4 KiB; return None if nothing matches."""
    head = data[:_HEAD_BYTES]
    if head[4:8] == b"ftyp":
        return _sniff_iso_media(head)
    for pattern, name in _SIGNATURES:
        if re.match(pattern, head, re.DOTALL):
            return name
    if b"%PDF-" in head[:1024]:  # the PDF reference allows the header anywhere in the first 1,024 bytes
        return ForeignFormat.PDF
    return _sniff_text(head)


def _sniff_iso_media(head: bytes) -> Format | ForeignFormat:
    """Tell AVIF, HEIC, raw photos and videos apart by the brands in the ``ftyp`` box (ISO/IEC 14496-12, 4.3)."""
    major = head[8:12]
    size = min(int.from_bytes(head[:4]), len(head))
    brands = {major, *(head[i : i + 4] for i in range(16, size - 3, 4))}
    if brands & _AVIF_BRANDS:
        return Format.AVIF
    if brands & _HEIC_BRANDS:
        return ForeignFormat.HEIC
    if major == b"crx ":
        return ForeignFormat.RAW
    if major == b"qt  ":
        return ForeignFormat.QUICKTIME
    if major in (b"M4A ", b"M4B "):
        return ForeignFormat.SOUND
    return ForeignFormat.MP4


def _sniff_text(head: bytes) -> ForeignFormat | None:
    for encoding in ("utf-8-sig", "utf-16"):
        if encoding == "utf-16" and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            continue
        text = head.decode(encoding, errors="replace").lower()
        if len(head) == _HEAD_BYTES:
            text = text[:-1]  # the last character may have been cut in half
        text = text.strip()
        if not text or any((c < " " and c not in "\t\r\n\f") or c == "\ufffd" for c in text):
            continue
        if text.startswith("<"):
            if "<svg" in text:
                return ForeignFormat.SVG
            return ForeignFormat.HTML if "<html" in text or "<!doctype html" in text else ForeignFormat.TEXT
        return ForeignFormat.JSON if text[0] in "{[" else ForeignFormat.TEXT
    return None
