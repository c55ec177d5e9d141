"""Outliers and shortcuts, by numbers that are set."""

from pathlib import Path

import numpy as np
import pytest

from tfcnn.datasets import Item, Source
from tfcnn.decode import remarks
from tfcnn.manifest import odd_files
from tfcnn.manifest.findings import Finding
from tfcnn.manifest.looks import Look
from tfcnn.manifest.rows import Manifest, Row

THUMB = np.zeros((32, 32), np.uint8)


def find(looks: dict[str, Look], kind: str, **remarked: str) -> list[Finding]:
    """Return the findings of a kind on images whose class is the first letter of their path."""
    rows = tuple(
        Row(path, path[0], "", "", "x", path, 1, 1, remarks=remarked.get(path, ""))
        for path in looks
    )
    source = Source("set", Path(), tuple(Item(path, path[0]) for path in looks))
    found = odd_files.find(Manifest(source, rows, (), ()), looks, "black")
    return [finding for finding in found if finding.kind == kind]


def of(**changes: object) -> Look:
    return Look(**{"size": (100, 100), "brightness": 100.0, "sharpness": 10.0, "thumb": THUMB,
                   **changes})  # fmt: skip


def spread(number: int) -> float:
    """Return 97, 100 and 103 in turn: the median distance of many is 3."""
    return 97.0 + 3 * (number % 3)


@pytest.mark.parametrize(
    ("sigmas", "is_far"), [(4.9, False), (5.1, True), (-4.9, False), (-5.1, True)]
)
def test_an_image_far_from_the_median_is_unusual(sigmas, is_far):
    looks = {f"a{i:03}": of(brightness=spread(i)) for i in range(300)}
    looks["odd"] = of(brightness=100 + sigmas * 1.4826 * 3)
    found = find(looks, "outlier")
    assert [one.examples for one in found] == (
        [(f"odd: {looks['odd'].brightness:.0f} of 255",)] * is_far
    )
    assert all(one.what == "1 image of unusual brightness; usual is 100" for one in found)


def test_the_worst_come_first_and_a_set_that_is_all_alike_has_a_least_spread():
    looks = {f"a{i:03}": of() for i in range(80)}
    looks |= {"b1": of(size=(100, 140)), "b2": of(size=(300, 300)), "b3": of(size=(30, 30))}
    (found,) = find(looks, "outlier")
    # the logarithm of the area: 1.1 and 9 times as large, a ninth as large
    assert [line.split(":")[0] for line in found.examples] == ["b3", "b2"]
    assert found.images == (("b3",), ("b2",)) and "a side of 100 px" in found.what


def test_two_kinds_of_images_are_no_outliers():
    """One class is brighter than the other: none of its images is unusual, but a dark one is."""
    looks = {f"a{i:03}": of(brightness=spread(i)) for i in range(60)}
    looks |= {f"b{i:03}": of(brightness=spread(i) + 60) for i in range(40)}
    assert find(looks, "outlier") == []
    looks["odd"] = of(brightness=-100)
    (found,) = find(looks, "outlier")
    assert found.examples == ("odd: -100 of 255",)


def test_sharpness_counts_by_its_ratio():
    looks = {f"a{i:03}": of(sharpness=10 + 0.1 * (i % 3)) for i in range(60)}
    looks |= {"b1": of(sharpness=4.0), "b2": of(sharpness=30.0)}
    (found,) = find(looks, "outlier")
    assert found.examples == ("b2: 30.0", "b1: 4.0")


@pytest.mark.parametrize(("both", "is_told"), [(4, True), (6, False)])
def test_a_type_that_tells_the_class_of_half_the_others_is_a_shortcut(both, is_told):
    """Of class b, 10 images less `both` have a type of their own: more than half, or less."""
    png, jpeg = ({"kind": f"a {name} image", "format": name} for name in ("PNG", "JPEG"))
    looks = {f"a{i:02}": of(**png) for i in range(30)}
    looks |= {f"b{i:02}": of(**(png if i < both * 3 else jpeg)) for i in range(30)}
    assert bool(find(looks, "shortcut")) == is_told


@pytest.mark.parametrize(("name", "format_name", "is_wrong"), [
    ("a.png", "PNG", False), ("a.jpeg", "JPEG", False), ("a.JPG", "JPEG", False),
    ("a.jpg", "PNG", True), ("a.png", "JPEG", True), ("a.tif", "BMP", True),
    ("a", "PNG", False), ("a.dat", "PNG", False), ("a.png", "", False),
])  # fmt: skip
def test_a_name_of_another_type_is_told(name, format_name, is_wrong):
    looks = {name: of(kind=f"a {format_name} image", format=format_name), "b": of()}
    assert bool(find(looks, "wrong-type")) == is_wrong


@pytest.mark.parametrize(("size", "is_huge"), [((4000, 5000), False), ((4001, 5000), True)])
def test_an_image_over_20_megapixels_is_huge(size, is_huge):
    assert bool(find({"a": of(size=size), "b": of()}, "huge")) == is_huge


def test_what_is_not_read_is_told_with_how_much_and_what_helps():
    remarked = {"a": f"{remarks.PAGES}: 3", "b": remarks.HIDDEN["black"]}
    pages, hidden = find({"a": of(), "b": of()}, "partly-read", **remarked)
    assert pages.what == f"1 image with {remarks.PAGES}, such as a (3)"
    assert pages.advice == odd_files.PARTS_ADVICE
    assert hidden.what.endswith(", such as b") and hidden.advice == ""


def test_of_an_unusual_way_to_hold_pixels_it_is_said_whether_all_have_it():
    turned, usual = of(traits=(remarks.TURNED,)), of()
    (found,) = find({"a": turned, "b": usual}, "unusual-file")
    assert found.what.startswith("1 image with")
    (found,) = find({"a": turned, "b": turned}, "unusual-file")
    assert found.what.startswith("all 2 images with")
