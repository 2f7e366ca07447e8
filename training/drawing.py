"""Draw objects, backgrounds, scenes and styles; sizes are fractions of the canvas, so any aspect ratio works."""

import math
import random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from training.words import COLOURS, NEUTRAL

Rgb = tuple[int, int, int]


def jittered(rgb: Rgb, rng: random.Random, amount: int = 20) -> Rgb:
    red, green, blue = (max(0, min(255, channel + rng.randint(-amount, amount))) for channel in rgb)
    return red, green, blue


def gradient(size: tuple[int, int], top: Rgb, bottom: Rgb) -> Image.Image:
    ramp = np.linspace(0, 1, size[1])[:, None, None]
    column = np.asarray(top) * (1 - ramp) + np.asarray(bottom) * ramp
    return Image.fromarray(np.broadcast_to(column, (size[1], size[0], 3)).round().astype(np.uint8))


def tinted(sprite: Image.Image, rgb: Rgb) -> Image.Image:
    """Colour a sprite and keep its shading: its luminance, stretched about the median, selects from a colour ramp."""
    pixels = np.asarray(sprite).astype(np.float32)
    luminance = pixels[..., :3] @ np.array([0.3, 0.59, 0.11], np.float32) / 255
    opaque = luminance[pixels[..., 3] > 128]
    middle = float(np.median(opaque)) if opaque.size else 0.5
    below = 0.5 * luminance / max(middle, 1e-3)
    above = 0.5 + 0.5 * (luminance - middle) / max(1 - middle, 0.25)
    shade = np.clip(np.where(luminance < middle, below, above), 0, 1)[..., None]
    colour = np.asarray(rgb, np.float32)
    low, high = 0.35 * colour, 0.45 * colour + 0.55 * 255
    if min(rgb) > 225:
        low, high = 0.6 * colour, np.full(3, 255, np.float32)
    elif max(rgb) < 60:
        low, high = 0.3 * colour, colour + 110
    ramp = np.where(shade < 0.5, low + (colour - low) * 2 * shade, colour + (high - colour) * (2 * shade - 1))
    return Image.fromarray(np.concatenate([ramp, pixels[..., 3:]], -1).round().astype(np.uint8))


def shape(word: str, rgb: Rgb, side: int = 128) -> Image.Image:
    """Draw a plain shape as RGBA."""
    image = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(image)
    unit = side / 128

    def scaled(*numbers: float) -> list[float]:
        return [number * unit for number in numbers]

    if word == "circle":
        draw.ellipse(scaled(4, 4, 123, 123), fill=rgb)
    elif word == "square":
        draw.rectangle(scaled(10, 10, 117, 117), fill=rgb)
    elif word == "triangle":
        draw.polygon(scaled(64, 8, 4, 115, 123, 115), fill=rgb)
    elif word == "diamond":
        draw.polygon(scaled(64, 4, 110, 64, 64, 124, 18, 64), fill=rgb)
    elif word == "ring":
        draw.ellipse(scaled(4, 4, 123, 123), outline=rgb, width=round(24 * unit))
    elif word == "cross":
        draw.rectangle(scaled(45, 4, 83, 123), fill=rgb)
        draw.rectangle(scaled(4, 45, 123, 83), fill=rgb)
    else:
        raise ValueError(word)
    return image


class Canvas:
    """A picture on which a scene is drawn."""

    def __init__(self, size: tuple[int, int], top: Rgb, bottom: Rgb, rng: random.Random) -> None:
        self.rng, (self.width, self.height) = rng, size
        self.image = gradient(size, jittered(top, rng, 10), jittered(bottom, rng, 10))
        self.draw = ImageDraw.Draw(self.image)

    def ground(self, rgb: Rgb, y: float, wave: float = 0.03) -> None:
        phase, pace = self.rng.uniform(0, 6.3), self.rng.uniform(3, 9)
        line = [
            (x, self.height * (y + wave * math.sin(phase + pace * x / self.width))) for x in range(0, self.width + 4, 4)
        ]
        fill = jittered(rgb, self.rng, 10)
        self.draw.polygon([*line, (self.width, self.height), (0, self.height)], fill=fill)

    def disc(self, x: float, y: float, radius: float, rgb: Rgb) -> None:
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=rgb)

    def stars(self, fewest: int, most: int) -> None:
        unit = min(self.width, self.height) / 128
        for _ in range(self.rng.randint(fewest, most)):
            x, y = self.rng.uniform(0, self.width), self.rng.uniform(0, self.height)
            self.disc(x, y, self.rng.uniform(0.7, 2.0) * unit, (250, 250, 235))

    def firs(self) -> None:
        for index in range(8):
            x = self.width * (index + self.rng.uniform(0.1, 0.9)) / 8
            half = self.width * self.rng.uniform(0.09, 0.16)
            top, foot = self.height * (0.86 - self.rng.uniform(0.45, 0.80)), self.height * 0.86
            fill = jittered((30, 100, 55), self.rng, 10)
            self.draw.polygon([(x, top), (x - half, foot), (x + half, foot)], fill=fill)

    def buildings(self) -> None:
        unit = min(self.width, self.height) / 128
        x = 0.0
        while x < self.width:
            right = x + self.rng.uniform(12, 26) * unit
            top = self.height * self.rng.uniform(0.30, 0.75)
            gray = self.rng.randint(85, 150)
            self.draw.rectangle((x, top, right, self.height * 0.86), fill=(gray, gray, gray + 15))
            wy = top + 4 * unit
            while wy < self.height * 0.8:
                wx = x + 3 * unit
                while wx < right - 3 * unit:
                    self.draw.rectangle((wx, wy, wx + 2 * unit, wy + 4 * unit), fill=(250, 225, 130))
                    wx += 7 * unit
                wy += 10 * unit
            x = right

    def bubbles(self) -> None:
        unit = min(self.width, self.height) / 128
        for _ in range(self.rng.randint(5, 10)):
            x, y = self.rng.uniform(0, self.width), self.rng.uniform(0, self.height)
            r = self.rng.uniform(2, 6) * unit
            self.draw.ellipse((x - r, y - r, x + r, y + r), outline=(205, 240, 250), width=round(2 * unit))


def scene(word: str, size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draw one of the ten scenes."""
    uniform = rng.uniform
    width, height = size
    if word == "meadow":
        canvas = Canvas(size, (110, 185, 245), (200, 230, 250), rng)
        canvas.ground((95, 185, 75), uniform(0.50, 0.72), 0.05)
    elif word == "night":
        canvas = Canvas(size, (12, 14, 48), (45, 50, 110), rng)
        canvas.stars(14, 30)
    elif word == "beach":
        canvas = Canvas(size, (120, 200, 250), (205, 235, 250), rng)
        sea = uniform(0.40, 0.52)
        canvas.ground((35, 135, 200), sea, 0)
        canvas.ground((238, 210, 150), sea + uniform(0.15, 0.25), 0.02)
    elif word == "sunset":
        canvas = Canvas(size, (95, 50, 130), (255, 150, 60), rng)
        radius = min(size) * uniform(0.10, 0.16)
        canvas.disc(width * uniform(0.2, 0.8), height * uniform(0.55, 0.70), radius, (255, 225, 110))
        canvas.ground((50, 30, 55), uniform(0.74, 0.84))
    elif word == "snow":
        canvas = Canvas(size, (150, 185, 220), (215, 228, 240), rng)
        canvas.ground((244, 247, 252), uniform(0.55, 0.75), 0.05)
        canvas.stars(12, 24)
    elif word == "desert":
        canvas = Canvas(size, (245, 205, 130), (250, 230, 185), rng)
        canvas.ground((225, 165, 85), uniform(0.50, 0.65), 0.08)
        canvas.ground((205, 140, 65), uniform(0.72, 0.82), 0.06)
    elif word == "water":
        canvas = Canvas(size, (70, 190, 215), (10, 55, 120), rng)
        canvas.bubbles()
    elif word == "space":
        canvas = Canvas(size, (14, 10, 24), (26, 16, 46), rng)
        canvas.stars(16, 34)
        planet = rng.choice([(205, 120, 80), (190, 140, 205), (105, 150, 205), (215, 185, 120)])
        x, y = width * uniform(0.05, 0.95), height * uniform(0.05, 0.95)
        canvas.disc(x, y, min(size) * uniform(0.10, 0.22), planet)
    elif word == "forest":
        canvas = Canvas(size, (165, 210, 180), (110, 170, 120), rng)
        canvas.firs()
        canvas.ground((70, 120, 55), uniform(0.78, 0.86))
    elif word == "city":
        canvas = Canvas(size, (130, 185, 235), (215, 230, 240), rng)
        canvas.buildings()
        canvas.ground((75, 75, 82), 0.86, 0)
    else:
        raise ValueError(word)
    return canvas.image


def plain(rgb: Rgb, size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draw a plain background, flat or slightly darker at the bottom."""
    top = jittered(rgb, rng)
    share = rng.uniform(0.85, 1.0) if rng.random() < 0.4 else 1.0
    red, green, blue = top
    return gradient(size, top, (round(red * share), round(green * share), round(blue * share)))


def photo_like(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draw what a blurred photograph looks like to a small model: soft masses of related colours, and grain."""
    noise = np.random.default_rng(rng.getrandbits(32))
    palette = noise.uniform(0, 255, (3, 3))
    palette += (palette.mean(-1, keepdims=True) - palette) * rng.uniform(0.2, 0.9)
    field = np.zeros((size[1], size[0], 3), np.float32)
    for octave in range(5):
        cells = (3 * 2**octave, 3 * 2**octave)
        grid = Image.fromarray((noise.random((cells[1], cells[0])) * 255).astype(np.uint8))
        smooth = np.asarray(grid.resize(size, Image.Resampling.BICUBIC), np.float32)[..., None] / 255
        mixed = palette[octave % 3] + (palette[(octave + 1) % 3] - palette[octave % 3]) * smooth
        field += mixed * 0.5 ** (octave * rng.uniform(0.5, 1.2))
    contrast, light = rng.uniform(0.4, 1.2), rng.uniform(60, 200)
    field = (field - field.mean()) * contrast + light
    image = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(0, 4)):
        x, y, reach = rng.uniform(0, size[0]), rng.uniform(0, size[1]), min(size) * rng.uniform(0.05, 0.4)
        fill = jittered(rng.choice(list(COLOURS.values())), rng, 40)
        corners = [(x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach)) for _ in range(4)]
        draw.polygon(corners, fill=fill)
    image = image.filter(ImageFilter.GaussianBlur(rng.choice([0.5, 1, 2, 4]) * min(size) / 128))
    grain = noise.normal(0, rng.uniform(0, 9), (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def background(word: str | None, size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draw the background for a colour name, a scene name, "neutral" (grey), or None (something photo-like)."""
    if word is None:
        return photo_like(size, rng)
    if word == "neutral":
        return plain(NEUTRAL, size, rng)
    return plain(COLOURS[word], size, rng) if word in COLOURS else scene(word, size, rng)


def styled(image: Image.Image, style: str) -> Image.Image:
    """Redraw a finished picture in a style."""
    unit = min(image.size) / 128
    if style == "pixel art":
        cells = (image.width // 8, image.height // 8)
        small = image.resize(cells, Image.Resampling.BOX).filter(ImageFilter.UnsharpMask(1, 80, 0))
        return ImageOps.posterize(small, 4).resize(image.size, Image.Resampling.NEAREST)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1.2 * unit)), np.float32)
    across, down = (np.abs(np.gradient(pixels, axis=axis)).max(-1) for axis in (0, 1))
    edges = np.clip((across + down) * 3.0 * unit, 0, 255)
    if style == "pencil sketch":
        shade = np.asarray(image.convert("L"), np.float32)
        paper = 250 - 0.16 * (255 - shade) - 0.85 * edges
        return Image.fromarray(np.clip(paper, 30, 255).astype(np.uint8)).convert("RGB")
    if style == "neon":
        colour = pixels / np.maximum(pixels.max(-1, keepdims=True), 1)
        vivid = np.clip(0.5 + (colour - colour.mean(-1, keepdims=True)) * 2.2, 0.08, 1) * 255
        lines = Image.fromarray((vivid * np.clip(edges[..., None] / 120, 0, 1)).astype(np.uint8))
        glow = lines.filter(ImageFilter.GaussianBlur(5 * unit))
        dark = Image.new("RGB", image.size, (14, 10, 28))
        return ImageChops.add(ImageChops.add(dark, glow), lines)
    raise ValueError(style)
