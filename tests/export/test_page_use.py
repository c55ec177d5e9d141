"""The page used as a colleague would: opened from its file, and compared with `tfcnn predict`."""

import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import MIRROR, needs_mirror, run_tfcnn
from page_use import DONE_MS, assert_same, predict_here, predict_in, probs_of, read
from PIL import Image
from report_html import OUTSIDE, SMALL, TEXTS, contrast, over, rgba

from tfcnn import runs
from tfcnn.datasets import smears
from tfcnn.export.page import assembly
from tfcnn.training import twin

COUNT = 50
NAMED = ("button", "link", "searchbox", "progressbar", "dialog", "region", "group", "status")


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 drawn cells in a folder."""
    root, folder = tmp_path_factory.mktemp("smears"), tmp_path_factory.mktemp("drawn") / "cells"
    smears.generate(root / "smears", num_patients=8, cells_per_patient=10)
    folder.mkdir()
    found = sorted((root / "smears" / smears.IMAGES).rglob("*.png"))
    assert len(found) >= COUNT
    for path in found[:: len(found) // COUNT][:COUNT]:
        shutil.copy(path, folder)
    return folder


def test_fifty_cells_a_text_and_a_broken_png_get_what_the_command_line_says(
    opened, cells, tmp_path, monkeypatch
):
    folder = Path(shutil.copytree(cells, tmp_path / "cells"))
    first = min(folder.iterdir())
    (folder / "broken.png").write_bytes(first.read_bytes()[:900])
    (folder / "notes.txt").write_text("no image")
    grey = np.random.default_rng(0).integers(0, 90, (60, 50), dtype=np.uint8)
    Image.fromarray(np.stack([grey, grey + 150, grey], axis=2)).save(folder / "green.png")
    image = np.asarray(Image.open(first).convert("RGBA")).copy()
    image[::2, :, 3] = 90
    Image.fromarray(image).save(folder / "clear.png")
    files = sorted(folder.iterdir())
    found = predict_in(opened, files, tmp_path / "found.csv")
    assert_same(found, predict_here("malaria", files, tmp_path, monkeypatch))
    flags = {row["path"]: row["flag"] for row in found}
    assert flags["broken.png"] == flags["notes.txt"] == "unreadable"
    assert flags["green.png"] == "out-of-domain"
    row = opened.get_by_role("row").filter(has_text="notes.txt")
    assert "a text file" in row.inner_text()


def test_a_folder_gives_the_rows_of_the_folder_and_says_what_it_passes_over(
    opener, cells, tmp_path, monkeypatch
):
    folder = Path(shutil.copytree(cells, tmp_path / "cells"))
    for path in sorted(folder.iterdir())[10:]:
        path.unlink()
    (folder / "notes.txt").write_text("no image")
    opened = opener("malaria")
    opened.locator("#folder").set_input_files(str(folder))
    opened.get_by_text("10 images done").first.wait_for(timeout=DONE_MS)
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "found.csv")
    monkeypatch.chdir(tmp_path)
    result = run_tfcnn("predict", "malaria", "cells", "--output", "expected.csv")
    assert "passed over 1 of 11 files: 1 .txt" in result.stderr
    assert_same(read(tmp_path / "found.csv"), read(tmp_path / "expected.csv"))
    opened.get_by_text("passed over 1 of 11 files: 1 .txt").click()
    assert opened.get_by_text("cells/notes.txt").is_visible()


def test_one_grey_channel_and_ten_classes(opener, tmp_path, monkeypatch):
    """The shipped MNIST model on scikit-learn's digits: other pictures, of which some are far."""
    from sklearn.datasets import load_digits

    folder = tmp_path / "digits"
    folder.mkdir()
    for i, picture in enumerate(load_digits().images[:20]):
        large = Image.fromarray((picture * 15.9).astype(np.uint8)).resize((31, 23))
        large.convert("L" if i % 2 else "RGB").save(folder / f"{i:02}.png")
    files, opened = sorted(folder.iterdir()), opener("mnist")
    found = predict_in(opened, files, tmp_path / "found.csv")
    assert len(probs_of(found[0])) == 10
    assert_same(found, predict_here("mnist", files, tmp_path, monkeypatch))


def test_rows_are_sorted_filtered_and_searched(opener, cells, tmp_path):
    opened = opener("malaria")
    Image.new("RGB", (40, 40), (200, 100, 100)).save(tmp_path / "flat.png")  # of no cell
    files = [*sorted(cells.iterdir())[:12], tmp_path / "flat.png"]
    predict_in(opened, files, tmp_path / "found.csv")
    rows = opened.locator("#rows tr")
    shares = [float(text.strip("<> \u00a0%")) for text in rows.locator(".number").all_inner_texts()]
    head = opened.get_by_role("columnheader", name="Probability")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    found = [float(text.strip("<> \u00a0%")) for text in rows.locator(".number").all_inner_texts()]
    assert found == sorted(shares, reverse=True)
    wanted = rows.locator(".class").all_inner_texts().count("Uninfected")
    assert 0 < wanted < len(files)
    opened.get_by_role("button", name=re.compile("^Uninfected")).click()
    assert rows.count() == wanted and set(rows.locator(".class").all_inner_texts()) <= {
        "Uninfected"
    }
    opened.get_by_role("button", name=re.compile("^All")).click()
    opened.get_by_role("searchbox").fill(files[3].name[:-4])
    assert rows.locator(".name").all_inner_texts() == [files[3].name]


def test_many_rows_are_laid_out_in_steps_and_stay_in_place_when_others_come(opener, tmp_path):
    opened, files = opener("malaria"), [tmp_path / f"{i:03}.txt" for i in range(450)]
    for path in files:
        path.write_text("no image, which takes no time")
    assert len(predict_in(opened, files[1:], tmp_path / "found.csv")) == 449
    rows, more = opened.locator("#rows tr"), opened.locator("#more")
    assert rows.count() == 200 and more.inner_text() == "Show 200 more of 249 rows"
    opened.get_by_role("columnheader", name="Name").get_by_role("button").click()
    opened.evaluate("""() => {
      window.gone = 0;
      const count = (seen) => seen.forEach((one) => { gone += one.removedNodes.length; });
      new MutationObserver(count).observe(document.getElementById("rows"), { childList: true });
    }""")
    opened.locator("#images").set_input_files(str(files[0]))
    opened.get_by_text("450 images done").first.wait_for(timeout=DONE_MS)
    assert rows.locator(".name").all_inner_texts() == [path.name for path in files[:200]]
    assert opened.evaluate("gone") == 1, "only the row goes for which there is no place"
    more.click()
    assert rows.count() == 400 and more.inner_text() == "Show 50 more of 50 rows"
    assert opened.evaluate("document.activeElement.textContent") == files[200].name
    more.click()
    assert rows.locator(".name").all_inner_texts() == [path.name for path in files]
    assert not more.is_visible()
    opened.get_by_role("button", name="Flagged 450").click()
    assert rows.count() == 200


def test_an_image_opens_by_keyboard_with_a_map_of_where_the_model_looks(opened, cells, tmp_path):
    predict_in(opened, sorted(cells.iterdir())[:3], tmp_path / "found.csv")
    opened.locator("#rows button").nth(1).focus()
    opened.keyboard.press("Enter")
    dialog = opened.get_by_role("dialog")
    name = dialog.get_by_role("heading").inner_text()
    assert dialog.get_by_role("row").count() == 2
    dialog.get_by_role("button", name="Heat map").press("Enter")
    said = re.compile("^(Orange: where greying|No single part)")
    dialog.get_by_text(said).wait_for(timeout=DONE_MS)
    opened.keyboard.press("ArrowRight")
    assert dialog.get_by_role("heading").inner_text() != name
    assert not dialog.get_by_text(said).is_visible()
    opened.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_the_map_is_how_far_the_probability_falls_where_a_part_is_greyed(
    opened, exported, cells, tmp_path
):
    """The same map, computed here: 121 parts of 8 px, each over half of the next."""
    run, path = runs.open_run("malaria"), min(cells.iterdir())
    (row,) = predict_in(opened, [path], tmp_path / "found.csv")
    opened.locator("#rows button").click()
    opened.get_by_role("button", name="Heat map").click()
    opened.get_by_text(re.compile("^Orange: where greying")).wait_for(timeout=DONE_MS)
    shades = opened.evaluate("""() => {
      const map = document.getElementById("detail-map");
      return Array.from(map.getContext("2d").getImageData(0, 0, map.width, map.height).data);
    }""")
    found = np.array(shades, float).reshape(40, 40, 4)[..., 3]
    opened.keyboard.press("Escape")
    model = twin.runner(assembly.part(exported("malaria").read_bytes(), "model"))
    image, place = run.decoder.decode(path.read_bytes()), run.class_names.index(row["decision"])
    whole, sums, counts = model(image[np.newaxis])["probs"][0, place], *np.zeros((2, 40, 40))
    for top, left in itertools.product(range(-4, 40, 4), repeat=2):
        part = slice(max(0, top), top + 8), slice(max(0, left), left + 8)
        greyed = image.copy()
        greyed[part] = np.floor(image.mean(axis=(0, 1)) + 0.5)
        sums[part] += whole - model(greyed[np.newaxis])["probs"][0, place]
        counts[part] += 1
    falls = sums / counts
    np.testing.assert_allclose(found, 200 * np.maximum(0, falls / falls.max()), atol=1)
    assert found.max() == 200 and (found < 50).any()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_everything_has_a_name_and_can_be_read_and_fits(opened, cells, tmp_path, width, scheme):
    opened.set_viewport_size({"width": width, "height": 900})
    opened.emulate_media(color_scheme=scheme)
    files = [*sorted(cells.iterdir())[:2], tmp_path / "notes.txt"]
    files[2].write_text("text")
    predict_in(opened, files, tmp_path / "found.csv")
    for role in NAMED:
        for element in opened.get_by_role(role).all():
            snapshot = element.aria_snapshot()
            assert re.match(rf'- {role} "[^"]+"', snapshot) or role == "status", snapshot[:80]
    for pressed in opened.locator("#filters [aria-pressed=true]").all():
        pressed.hover()  # which gives other buttons the colour that is a pressed one's ground
    for found in opened.evaluate(TEXTS):
        below = [rgba(colour) for colour in reversed(found["below"])]
        ground = (255.0, 255.0, 255.0) if scheme == "light" else (0.0, 0.0, 0.0)
        for layer in below:
            ground = over(layer, ground)
        assert contrast(over(rgba(found["colour"]), ground), ground) >= 4.5, found
    assert opened.evaluate(OUTSIDE) == [] and opened.evaluate(SMALL) == []


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("WebAssembly", "This browser cannot run the model: WebAssembly is not defined"),
        ("DecompressionStream", "This browser cannot unpack the page"),
    ],
)
def test_a_browser_that_lacks_something_is_told_so(browser, exported, missing, said):
    context = browser.new_context()
    opened = context.new_page()
    opened.add_init_script(f"delete self.{missing};")
    opened.goto(exported("malaria").as_uri())
    state = opened.get_by_text(said)
    state.wait_for(timeout=DONE_MS)
    assert "Try a current Chrome" in state.inner_text()
    assert opened.locator("#choose-images").is_disabled()
    context.close()


def test_without_the_browsers_decoder_a_photograph_is_unreadable(browser, exported, tmp_path):
    Image.new("RGB", (40, 40), (200, 100, 100)).save(tmp_path / "flat.jpg")
    context = browser.new_context()
    opened = context.new_page()
    opened.add_init_script("delete self.createImageBitmap;")
    opened.goto(exported("malaria").as_uri())
    opened.get_by_text("Ready.").wait_for(timeout=DONE_MS)
    (row,) = predict_in(opened, [tmp_path / "flat.jpg"], tmp_path / "found.csv")
    assert row["flag"] == "unreadable" and not row["decision"]
    assert opened.get_by_text("This browser decodes JPEG and WebP to other pixels").is_visible()
    context.close()


def test_clearing_while_it_works_leaves_only_what_comes_after(opened, cells, tmp_path):
    files = sorted(cells.iterdir())
    opened.locator("#images").set_input_files([str(path) for path in files])
    opened.locator("#clear").click()
    rows = predict_in(opened, files[:3], tmp_path / "found.csv")
    assert [row["path"] for row in rows] == [path.name for path in files[:3]]


def test_names_are_shown_as_text_and_without_signs_that_turn_them(opened, cells, tmp_path):
    names = ["<img src=x onerror=alert(1)>.png", "\u202egnp.exe.png", "n" * 240 + ".png"]
    for name in names:
        shutil.copy(min(cells.iterdir()), tmp_path / name)
    rows = predict_in(opened, [tmp_path / name for name in names], tmp_path / "found.csv")
    assert [row["path"] for row in rows] == [names[0], "\\u202egnp.exe.png", names[2]]
    shown = opened.locator("#rows .name").all_inner_texts()
    assert shown == [names[0], "\\u202egnp.exe.png", names[2]]
    assert opened.evaluate(OUTSIDE) == []


@pytest.mark.slow
@needs_mirror
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_five_hundred_real_cells(opened, tmp_path, monkeypatch, kind):
    import zipfile

    folder = tmp_path / "cells"
    folder.mkdir()
    with zipfile.ZipFile(Path(str(MIRROR)) / "cell_images.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        for name in names[:: len(names) // 500][:500]:
            (folder / Path(name).name).write_bytes(archive.read(name))
    if kind == "jpg":
        for path in sorted(folder.iterdir()):
            Image.open(path).convert("RGB").save(path.with_suffix(".jpg"), quality=85)
            path.unlink()
    files = sorted(folder.iterdir())
    found = predict_in(opened, files, tmp_path / "found.csv")
    expected = predict_here("malaria", files, tmp_path, monkeypatch)
    pairs = zip(found, expected, strict=True)
    equal = sum(one["decision"] == other["decision"] for one, other in pairs)
    largest = assert_same(found, expected)
    print(f"{kind}: {equal} of {len(files)} decisions equal; largest difference {largest:.1e}")


@pytest.mark.slow
@needs_mirror
@pytest.mark.parametrize("run", ["mnist", "fashion", "cifar10"])
def test_ten_classes_of_real_images(opener, tmp_path, monkeypatch, run):
    file = {"fashion": "fashion_mnist"}.get(run, run)
    pictures = np.load(Path(str(MIRROR)) / f"{file}.npz")["x_test"][:100]
    folder = tmp_path / "images"
    folder.mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i:03}.png")
    files = sorted(folder.iterdir())
    found = predict_in(opener(run), files, tmp_path / "found.csv")
    largest = assert_same(found, predict_here(run, files, tmp_path, monkeypatch))
    print(f"{run}: largest difference {largest:.1e}")
