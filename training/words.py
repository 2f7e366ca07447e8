"""The model's world in words: nouns, colours, scenes, styles, and the phrases that people use around them."""

from dataclasses import dataclass

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 45),
    "orange": (245, 140, 30),
    "yellow": (250, 212, 45),
    "green": (50, 165, 70),
    "blue": (45, 110, 225),
    "purple": (140, 70, 190),
    "pink": (245, 130, 185),
    "brown": (130, 80, 50),
    "black": (32, 32, 38),
    "white": (245, 245, 245),
    "gray": (140, 140, 146),
}

NEUTRAL = (225, 225, 230)

# Icon names in the two sets, where they differ from our word.
ICONS: dict[str, str] = {
    "cat": "cat-face",
    "dog": "dog-face",
    "heart": "red-heart",
    "moon": "crescent-moon",
    "car": "automobile",
    "tree": "deciduous-tree",
    "flower": "tulip",
    "apple": "red-apple",
    "boat": "sailboat",
    "smiley": "grinning-face",
    "rabbit": "rabbit-face",
    "pig": "pig-face",
    "monkey": "monkey-face",
    "chick": "baby-chick",
    "whale": "spouting-whale",
    "ladybug": "lady-beetle",
    "bee": "honeybee",
    "pine tree": "evergreen-tree",
    "palm tree": "palm-tree",
    "cake": "birthday-cake",
    "ice cream": "soft-ice-cream",
    "coffee": "hot-beverage",
    "burger": "hamburger",
    "donut": "doughnut",
    "plane": "airplane",
    "ball": "soccer-ball",
    "gift": "wrapped-gift",
    "pumpkin": "jack-o-lantern",
    "teddy bear": "teddy-bear",
    "ufo": "flying-saucer",
}

# Tier A learns these; tier B adds the rest.
NOUNS_A: tuple[str, ...] = (
    *("cat", "dog", "panda", "frog", "fish", "penguin"),
    *("tree", "flower", "mushroom", "apple", "pumpkin"),
    *("house", "car", "rocket", "boat", "balloon"),
    *("sun", "moon", "star", "heart", "cloud"),
    *("robot", "ghost", "smiley"),
    *("fox", "bear", "rabbit", "pig", "lion", "owl", "octopus", "unicorn"),
    *("cactus", "pizza", "cake", "castle"),
)
NOUNS_B: tuple[str, ...] = (
    *NOUNS_A,
    *("monkey", "chick", "whale", "butterfly", "turtle", "snail", "ladybug", "bee"),
    *("fire", "snowflake", "pine tree", "palm tree", "rose", "sunflower", "banana", "cherries", "strawberry"),
    *("ice cream", "coffee", "burger", "donut", "watermelon", "carrot", "bus", "plane", "ball", "gift", "crown"),
    *("key", "guitar", "alien", "umbrella", "teddy bear", "ufo", "bell"),
)

SHAPES_A: tuple[str, ...] = ("circle", "square", "triangle")
SHAPES_B: tuple[str, ...] = (*SHAPES_A, "diamond", "ring", "cross")

SYNONYMS: dict[str, tuple[str, ...]] = {
    "cat": ("kitten", "kitty"),
    "dog": ("puppy",),
    "smiley": ("smiling face", "emoji face"),
    "plane": ("airplane",),
    "flower": ("tulip",),
    "boat": ("sailboat", "ship"),
    "house": ("home", "cottage"),
    "rocket": ("spaceship",),
    "pumpkin": ("jack o lantern",),
    "heart": ("love heart",),
    "rabbit": ("bunny",),
    "ufo": ("flying saucer",),
    "gift": ("present",),
    "fire": ("flame",),
    "moon": ("crescent moon",),
}

# Caption phrases for a scene, and the caption of the empty scene.
SCENES: dict[str, tuple[tuple[str, ...], str]] = {
    "meadow": (("in a meadow", "on a green field", "on grass"), "a meadow"),
    "night": (("at night", "under the night sky", "with a starry sky"), "a night sky"),
    "beach": (("on a beach", "at the beach", "on the beach"), "a beach"),
    "sunset": (("at sunset", "in front of a sunset"), "a sunset"),
    "snow": (("in the snow", "in winter"), "a snowy field"),
    "desert": (("in the desert", "on sand dunes"), "a desert"),
    "water": (("under water", "in the deep sea", "underwater"), "the deep sea"),
    "space": (("in space", "in outer space"), "outer space"),
    "forest": (("in a forest", "in the woods"), "a forest"),
    "city": (("in a city", "in front of a city", "in the city"), "a city"),
}

# {} is the caption without style; the second tuple is what people type to restyle a picture they already have.
STYLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pixel art": (
        ("pixel art of {}", "{}, pixel art", "{} as pixel art", "{} in pixel art style", "8 bit pixel art {}"),
        ("pixel art", "as pixel art", "make it pixel art", "turn it into pixel art", "pixel art style"),
    ),
    "pencil sketch": (
        ("a pencil sketch of {}", "{}, pencil sketch", "{} as a pencil sketch", "a pencil drawing of {}"),
        ("a pencil sketch", "as a pencil sketch", "turn it into a pencil drawing", "make it a pencil sketch"),
    ),
    "neon": (
        ("neon {}", "{}, neon style", "{} in neon lights", "a neon sign of {}", "glowing neon {}"),
        ("neon", "neon lights", "make it neon", "in neon style", "as a neon sign"),
    ),
}

PREFIXES: tuple[str, ...] = (
    *("a picture of", "an emoji of", "a drawing of", "a photo of", "an image of", "a painting of"),
    *("an illustration of", "a cartoon of", "make it", "turn it into", "turn this into", "change it to"),
    *("please draw", "draw", "show me", "i want", "create", "now with", "replace it with"),
)
ADJECTIVES: tuple[str, ...] = (
    *("cute", "beautiful", "happy", "funny", "pretty", "lovely", "cartoon", "simple", "colorful", "nice"),
    *("shiny", "magical", "cool", "adorable", "friendly"),
)
BIG: tuple[str, ...] = ("big", "large", "huge", "giant")
SMALL: tuple[str, ...] = ("small", "little", "tiny")
SUFFIXES: tuple[str, ...] = (
    *("highly detailed", "best quality", "4k", "hd", "masterpiece", "please", "digital art", "high quality"),
    *("cartoon style", "clean", "professional", "sharp", "vivid colors", "flat design", "emoji style"),
)
RELATIONS: tuple[str, ...] = ("left of", "right of", "above", "below", "next to", "and", "and")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words that one tier learns; every class index is a position in these tuples."""

    nouns: tuple[str, ...]
    shapes: tuple[str, ...]
    two_objects: bool
    art_sets: int

    @property
    def objects(self) -> tuple[str, ...]:
        return (*self.nouns, *self.shapes)

    @property
    def colours(self) -> tuple[str, ...]:
        """The colour classes; the last one means the object's natural colours."""
        return (*COLOURS, "natural")

    @property
    def backgrounds(self) -> tuple[str, ...]:
        return (*COLOURS, *SCENES)


VOCABULARY_A = Vocabulary(nouns=NOUNS_A, shapes=SHAPES_A, two_objects=False, art_sets=1)
VOCABULARY_B = Vocabulary(nouns=NOUNS_B, shapes=SHAPES_B, two_objects=True, art_sets=2)
