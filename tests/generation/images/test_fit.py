"""Sizes to generate at: within the budget, true to the aspect ratio; and pictures, cropped but never squashed."""

import random

import pytest
from PIL import Image

from generation.images.fit import MAX_ASPECT, crop_loss, enlarge, enlargement_factor, fit_image, fitted_size
from tests.pictures import mean_difference, photo


@pytest.mark.parametrize(
    ("side", "multiple"), [(64, 8), (128, 8), (256, 8), (512, 8), (512, 64), (1024, 16), (2048, 8)]
)
def test_random_sizes_fit_the_budget_and_keep_their_aspect(side: int, multiple: int) -> None:
    chance = random.Random(side)
    multiples_a_side = side / multiple
    for _ in range(300):
        width, height = (round(4 ** chance.uniform(2, 7)) for _ in range(2))
        fitted = fitted_size(width, height, max_pixels=side**2, multiple=multiple)
        assert all(value % multiple == 0 and value >= multiple for value in fitted)
        area = fitted[0] * fitted[1]
        assert area <= side**2
        assert area >= side**2 * (1 - 4 / multiples_a_side)
        aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
        assert crop_loss(aspect, fitted[0] / fitted[1]) <= 1.3 / multiples_a_side


def test_usual_aspects_lose_next_to_nothing() -> None:
    for width, height in ((1, 1), (4, 3), (3, 2), (16, 9), (2, 1), (9, 16), (2, 3)):
        fitted = fitted_size(width * 400, height * 400, max_pixels=512**2, multiple=8)
        assert crop_loss(width / height, fitted[0] / fitted[1]) < 0.01, (width, height)
    assert fitted_size(4000, 3000, max_pixels=256**2, multiple=8) == (288, 216)
    assert fitted_size(1000, 1000, max_pixels=256**2, multiple=8) == (256, 256)


def test_extremes_become_one_to_four_and_tiny_pictures_are_enlarged() -> None:
    assert fitted_size(1, 16_384, max_pixels=256**2, multiple=8) == (128, 512)
    assert fitted_size(16_384, 1, max_pixels=256**2, multiple=8) == (512, 128)
    assert fitted_size(1, 1, max_pixels=512**2, multiple=8) == (512, 512)
    assert fitted_size(3000, 10, max_pixels=1, multiple=8) == (8, 8)


def test_a_circle_stays_a_circle() -> None:
    """A picture with one coordinate in red and the other in green shows where each pixel came from."""
    side = Image.linear_gradient("L").resize((256, 256))
    coordinates = Image.merge("RGB", (side.rotate(90), side, Image.new("L", (256, 256))))
    fitted = fit_image(coordinates.resize((400, 200)), 96, 64)
    reds = [pixel_of(fitted, x, 32)[0] for x in (16, 80)]
    greens = [pixel_of(fitted, 48, y)[1] for y in (8, 56)]
    # 400 × 200 covers 96 × 64 at 0.32: it is 128 × 64 there, so 64 columns of 128 against 48 rows of 64.
    assert abs(abs(reds[1] - reds[0]) - 255 * 64 / 128) <= 3
    assert abs(abs(greens[1] - greens[0]) - 255 * 48 / 64) <= 3
    # Cropping is even on both sides, so the middle stays the middle.
    assert abs(pixel_of(fitted, 48, 32)[0] - 128) <= 3


def pixel_of(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    image = photo(96, 64)
    assert fit_image(image, 96, 64).tobytes() == image.tobytes()


def test_small_results_are_enlarged_by_a_whole_factor_to_about_512() -> None:
    assert [enlargement_factor(side, side) for side in (64, 128, 192, 256, 320, 384, 512, 1024)] == [
        8,
        4,
        3,
        2,
        2,
        1,
        1,
        1,
    ]
    assert enlargement_factor(288, 216) == enlargement_factor(336, 192) == enlargement_factor(512, 128) == 2
    enlarged = enlarge(photo(96, 64), 2)
    assert enlarged.size == (192, 128)
    assert mean_difference(enlarged.resize((96, 64), Image.Resampling.BOX), photo(96, 64)) < 1
    assert enlarge(enlarged, 1) is enlarged
