"""Near copies are found however they were saved, resized, lit or turned, and others are not."""

import io
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tfcnn.decode import open_image
from tfcnn.manifest import near
from tfcnn.manifest.looks import Thumb, look, sharpness


def saved(image: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda image: saved(image, "JPEG", quality=50),
    "half": lambda image: saved(image.resize((image.width // 2, image.height // 2))),
    "larger": lambda image: saved(image.resize((image.width * 3 // 2, image.height * 3 // 2))),
    "brighter": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.25)),
    "darker": lambda image: saved(ImageEnhance.Brightness(image).enhance(0.6)),
    "mirrored": lambda image: saved(ImageOps.mirror(image)),
    "upside down": lambda image: saved(ImageOps.flip(image)),
    "turned": lambda image: saved(image.transpose(Image.Transpose.ROTATE_90)),
    "transposed": lambda image: saved(image.transpose(Image.Transpose.TRANSVERSE), "JPEG"),
}


@pytest.fixture(scope="module")
def cells(drawn_cells: Path) -> list[Image.Image]:
    """Sixty drawn cells of several patients."""
    return [Image.open(path).convert("RGB") for path in sorted(drawn_cells.glob("*/*.png"))[::2]][
        :60
    ]


def thumb(content: bytes) -> Thumb:
    return look(open_image(content)).thumb


def found(thumbs: list[Thumb], *, is_small: bool = False) -> set[tuple[int, int]]:
    pairs, are_all = near.pairs(thumbs, np.full(len(thumbs), is_small))
    assert are_all
    assert all(0 < pair.likeness <= 1 for pair in pairs)
    return {(pair.first, pair.second) for pair in pairs}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_no_other_cell(cells, change):
    originals = [thumb(saved(cell)) for cell in cells]
    changed = [thumb(CHANGES[change](cell)) for cell in cells]
    pairs = found(originals + changed)
    copies = {(i, len(cells) + i) for i in range(len(cells))}
    assert len(pairs & copies) >= 0.95 * len(cells)
    assert pairs <= copies


def test_all_pairs_of_several_copies_are_found_over_the_edges_of_blocks(monkeypatch, cells):
    monkeypatch.setattr(near, "BLOCK", 4)
    monkeypatch.setattr(near, "PAIRS", 2)
    thumbs = [thumb(saved(cell)) for cell in cells[:10]]
    places = (1, 3, 4, 9)
    for place in places:
        thumbs[place] = thumbs[0]
    assert found(thumbs) == set(combinations((0, *places), 2))


def test_too_many_pairs_are_not_compared_and_this_is_said(monkeypatch, cells):
    thumbs = [thumb(saved(cells[0]))] * 6
    for most, count in ((15, 15), (14, 0)):
        monkeypatch.setattr(near, "MOST_PAIRS", most)
        pairs, are_all = near.pairs(thumbs, np.zeros(6, bool))
        assert (len(pairs), are_all) == (count, count == 15)


def test_progress_ends_with_all_images(monkeypatch, cells):
    monkeypatch.setattr(near, "PRODUCTS", 30)  # three images at a time
    told: list[tuple[int, int]] = []
    thumbs = [thumb(saved(cell)) for cell in cells[:10]]
    near.pairs(thumbs, np.zeros(10, bool), lambda *counts: told.append(counts))
    assert told == [(3, 10), (6, 10), (9, 10), (10, 10)]


def test_what_is_compared_of_all_pairs_loses_no_pair(cells):
    """The values that a turn does not change are at least as alike as the pictures are."""
    thumbs = [thumb(saved(cell)) for cell in cells[:20]]
    thumbs += [thumb(CHANGES["transposed"](cell)) for cell in cells[:20]]
    spectra, _ = near._spectra(thumbs)
    values = near._unturned(spectra)
    one, other = np.triu_indices(len(thumbs), 1)
    bound = (values[one] * values[other]).sum(axis=1)
    assert (bound >= near._likeness(spectra[one], spectra[other]) - 1e-5).all()


def test_frequencies_are_compared_in_all_eight_positions(cells):
    picture = np.asarray(cells[0].convert("L").resize((32, 32)))
    turned = [np.rot90(side, turns) for side in (picture, picture.T) for turns in range(4)]
    spectra, _ = near._spectra([picture, *turned])
    ones = np.repeat(spectra[:1], 8, axis=0)
    assert near._likeness(ones, spectra[1:]) == pytest.approx(np.ones(8), abs=1e-4)


def test_brightness_and_contrast_do_not_count(cells):
    picture = np.asarray(cells[0].convert("L").resize((32, 32))).astype(float)
    paler = (0.5 * picture + 60).round().astype(np.uint8)
    assert found([picture.astype(np.uint8), paler]) == {(0, 1)}


def test_a_picture_of_one_colour_is_a_copy_of_nothing():
    plain = [np.full((32, 32), grey, np.uint8) for grey in (0, 0, 128, 255)]
    assert found(plain) == set() == found([]) == found(plain[:1])


def test_small_pictures_must_be_more_alike(cells):
    """Broad stripes change the frequencies: correlations of .98 and .96, and less of the detail."""
    picture = np.asarray(cells[0].convert("L").resize((32, 32))).astype(float)
    stripes = np.sin(2 * np.pi * np.arange(32) / 24)[None]
    some, more = ((0.6 * picture + 40 + size * stripes).astype(np.uint8) for size in (28, 40))
    plain = picture.astype(np.uint8)
    spectra, _ = near._spectra([plain, some, more])
    likeness = near._likeness(np.repeat(spectra[:1], 2, axis=0), spectra[1:])
    assert likeness[0] > 0.975 and near.LEAST < likeness[1] < 0.965
    assert found([plain, some]) == found([plain, more]) == {(0, 1)}
    assert found([plain, some], is_small=True) == {(0, 1)}
    assert found([plain, more], is_small=True) == set()


def test_detail_must_be_alike_too(cells):
    picture = np.asarray(cells[0].convert("L").resize((32, 32))).astype(float)
    rng = np.random.default_rng(0)
    for noise, count in ((4, 1), (9, 0)):  # whose frequencies still correlate by .98
        other = np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)
        assert len(found([picture.astype(np.uint8), other])) == count


def test_a_look_measures_the_picture():
    grey = np.full((40, 60), 100, np.uint8)
    grey[:, 30:] = 200
    seen = look(open_image(saved(Image.fromarray(grey))))
    assert (seen.size, seen.format, seen.kind) == ((40, 60), "PNG", "a PNG image")
    assert seen.brightness == pytest.approx(150, abs=0.1) and seen.thumb.shape == (32, 32)
    assert seen.thumb[0, 0] == 100 and seen.thumb[-1, -1] == 200


def test_sharpness_is_the_spread_of_the_laplacian():
    grey = np.zeros((5, 5), np.float32)
    grey[2, 2] = 9
    # the Laplacian of the inner 3 x 3: -36 in the middle, 9 on each of four sides, 0 in corners
    assert sharpness(grey) == pytest.approx(np.std([-36, 9, 9, 9, 9, 0, 0, 0, 0]))
    assert sharpness(np.zeros((2, 9), np.float32)) == 0


def test_what_no_turn_changes_has_the_length_of_the_frequencies():
    spectra = np.random.default_rng(0).normal(size=(3, 20, 20)).astype(np.float32)
    spectra /= np.linalg.norm(spectra, axis=(1, 2), keepdims=True)
    values = near._unturned(spectra)
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(near._unturned(-spectra.transpose(0, 2, 1)), values)
