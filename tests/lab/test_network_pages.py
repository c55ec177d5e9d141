"""Pages with networks: every layer is Keras', every number is explained, and one can use them."""

from typing import Any

import keras
import numpy as np
import pytest
from conftest import MIRROR, needs_mirror, run_tfcnn
from network_pages import READY_MS, call, outputs_of_layers, results, shown
from PIL import Image

from tfcnn import runs
from tfcnn.lab.inside import opened_network

TOLERANCE = 1e-4
NETWORKS = {"mnist": "watch_a_digit", "lenet5": "watch_a_digit", "malaria": "your_network"}


@pytest.fixture(scope="session")
def networks(open_page: Any) -> dict[str, Any]:
    """A page for each shipped network, with this network shown."""
    found = {name: shown(open_page(page)) for name, page in NETWORKS.items()}
    choose(found["lenet5"], "lenet5")
    return found


def choose(page: Any, network: str) -> None:
    """Choose a network of the page, and wait until it has answered."""
    before = page.locator("#viewer").get_attribute("data-shown")
    page.locator(f"[name=network][value={network}]").check(force=True)
    page.locator(f"#viewer:not([data-shown='{before}'])").wait_for(timeout=READY_MS)


def model_of(run: runs.Run) -> keras.Model:
    return keras.saving.load_model(run.model_path, compile=False)


def pictures(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return noise, black, and a bright disc."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[: shape[0], : shape[1]]
    disc = np.hypot(down - shape[0] / 2, across - shape[1] / 2) < min(shape[:2]) / 3
    disc = np.repeat(disc[:, :, None] * np.uint8(220), shape[2], axis=2).astype(np.uint8)
    return [rng.integers(0, 256, shape, dtype=np.uint8), np.zeros(shape, np.uint8), disc]


def assert_every_layer_is_keras(page: Any, model: keras.Model) -> None:
    steps = call(
        page, "return network.steps.map(({ name, within, place }) => ({ name, within, place }));"
    )
    layers = {layer.name for layer in model._flatten_layers(include_self=False)}
    for pixels in pictures(model.input_shape[1:]):
        given, expected = results(page, pixels), outputs_of_layers(model, pixels)
        compared = set()
        for step in steps:
            calls = [int(word) for word in step["within"] if word.isdigit()]
            if step["name"] in layers:  # a function of keras.ops, such as a flip, is no layer
                own = expected[step["name"]][calls[0] - 1 if calls else 0]
                np.testing.assert_allclose(given[step["place"]], own, rtol=0, atol=TOLERANCE)
                compared.add(step["name"])
        inside = {one.name for one in model._flatten_layers(include_self=False) if one.weights}
        assert compared >= {name for name in inside if name in expected}
        assert len(compared) == len(set(expected) - {"image"})


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_on_the_page_is_that_of_keras(networks, name):
    assert_every_layer_is_keras(networks[name], model_of(opened_network.shipped(name)))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_on_the_page_is_that_of_keras(networks, name):
    model = model_of(opened_network.shipped(name))
    layers = {layer.name: layer for layer in model._flatten_layers(include_self=False)}
    body = """
      return network.steps.flatMap((step) => Object.keys(step.weights).map((name) => {
        const { shape, values } = network.weight(step, name);
        return [step.name, name, shape, Array.from(values)];
      }));"""
    found = call(networks[name], body)
    assert len({layer for layer, *_ in found}) == sum(
        bool(one.weights) for one in layers.values() if not getattr(one, "layers", None)
    )
    for layer, weight, shape, values in found:
        expected = np.asarray(getattr(layers[layer], weight))
        assert tuple(shape) == expected.shape
        np.testing.assert_array_equal(np.float32(values).reshape(shape), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_number_is_explained(networks, name):
    """The sum that the page shows is the number that LiteRT gives, for each kind of layer."""
    body = """
      const { explain } = await module("lab/arithmetic.js");
      const length = network.image.reduce((product, side) => product * side);
      const pixels = Uint8Array.from({ length }, (_, i) => (i * 7919) % 251);
      const results = await network.compute(pixels);
      const wrong = [];
      for (const step of network.steps) {
        const own = results[step.place];
        for (const share of [0, 0.13, 0.5, 0.77, 0.999]) {
          const at = Math.floor(share * own.length);
          const { result, terms } = explain(network, results, step, at);
          const most = 1e-4 * Math.max(1, Math.abs(own[at]));
          const isNear = result !== null && Math.abs(result - own[at]) <= most;
          const isRight = terms.every((one) => results[one.place][one.at] === one.value);
          if (!isNear || !isRight) wrong.push([step.name, step.kind, at, result, own[at]]);
        }
      }
      return wrong;"""
    assert call(networks[name], body) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_number_depends_on_no_pixel_outside_its_box(networks, name):
    """Other pixels change nothing before a layer that looks at the whole image."""
    body = """
      const { seenBy } = await module("lab/windows_of.js");
      const [height, width, channels] = network.image;
      const kinds = new Set(["UnitNormalization"]);
      const wrong = [];
      for (const step of network.steps) {
        if (step.shape.length !== 3 || network.steps.some((one) => kinds.has(one.kind))) continue;
        const [y, x] = [step.shape[0] >> 1, step.shape[1] >> 1];
        const box = seenBy(network, step.place, [y, x, y + 1, x + 1]);
        const length = height * width * channels;
        const images = [40, 200].map((outside) => Uint8Array.from({ length }, (_, i) => {
          const pixel = Math.floor(i / channels);
          const [row, column] = [Math.floor(pixel / width), pixel % width];
          const isDown = row >= box[0] && row < box[2];
          return isDown && column >= box[1] && column < box[3] ? (i * 7919) % 251 : outside;
        }));
        const at = (y * step.shape[1] + x) * step.shape[2];
        const found = [];
        for (const image of images) {
          const [own] = await network.compute(image, [step.place]);
          found.push(own.slice(at, at + step.shape[2]));
        }
        const isOther = found[0].some((value, i) => Math.abs(value - found[1][i]) > 1e-4);
        if (isOther) wrong.push([step.name, box]);
      }
      return wrong;"""
    assert call(networks[name], body) == []


def test_a_digit_drawn_by_mouse_is_read(open_page):
    page = shown(open_page("watch_a_digit"))
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Nothing is drawn").wait_for()
    box = page.locator("#paper").bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 50)
    page.mouse.down()
    for step in range(1, 19):
        page.mouse.move(box["x"] + 140, box["y"] + 50 + 10 * step)
    page.mouse.up()
    page.locator("#answer", has_text="1, ").wait_for()


def test_a_digit_drawn_by_keyboard_is_read_and_its_layers_inspected(open_page):
    page = shown(open_page("watch_a_digit", 390, has_touch=True))
    page.get_by_role("button", name="Clear").press("Enter")
    paper = page.locator("#paper")
    paper.focus()
    for key in (*["ArrowUp"] * 8, " ", *["ArrowDown"] * 16, " "):
        paper.press(key)
    page.locator("#answer", has_text="1, ").wait_for()
    maps = page.locator("#viewer .layer-card[data-place='4'] canvas")
    maps.focus()
    maps.press("Enter")
    inspector = page.locator("#inspector")
    assert inspector.get_by_role("heading", name="conv1a").is_visible()
    assert inspector.locator(".sum").get_attribute("data-agrees") == "yes"
    first = inspector.locator(".result").inner_text()
    maps.press("ArrowRight")
    page.locator("#inspector", has_text="map 1,").wait_for()
    inspector.locator("[data-keep=map]").press("ArrowDown")
    inspector.locator("[data-keep=map]").press("ArrowDown")
    assert inspector.locator(".result").inner_text() != first
    inspector.locator(".terms button").first.press("Enter")  # down to what it was computed from
    assert inspector.get_by_role("heading", name="whiten_relu").is_visible()
    inspector.locator("[data-keep=back]").press("Enter")
    assert inspector.get_by_role("heading", name="conv1a").is_visible()
    inspector.locator("[data-keep=close]").press("Enter")
    assert not inspector.is_visible()


def test_an_own_image_is_decoded_as_tfcnn_does(open_page, tmp_path):
    """What the page shows for a file is what `tfcnn predict` says of it."""
    page = shown(open_page("your_network"))
    rng = np.random.default_rng(1)
    pixels = np.clip(rng.normal((190, 130, 150), 25, (93, 71, 3)), 0, 255).astype(np.uint8)
    path = tmp_path / "own.png"
    Image.fromarray(pixels).save(path)
    before = page.locator("#viewer").get_attribute("data-shown")
    page.locator("#file").set_input_files(str(path))
    page.locator(f"#viewer:not([data-shown='{before}'])").wait_for()
    page.locator("#picture-text", has_text="own.png, 93").wait_for()
    run = opened_network.shipped("malaria")
    expected = model_of(run)(run.decoder.decode(path.read_bytes())[None].astype(np.float32))
    body = "return Array.from(self.page.shown.results[network.answer]);"
    np.testing.assert_allclose(call(page, body), np.asarray(expected)[0], atol=TOLERANCE)
    page.get_by_role("button", name="Where does it look?").click()
    page.locator("#heat-text", has_text="probab").wait_for(timeout=READY_MS)
    (tmp_path / "notes.txt").write_text("no image")
    page.locator("#file").set_input_files(str(tmp_path / "notes.txt"))
    page.locator("#trouble-file", has_text="a text file").wait_for()


def test_an_image_that_takes_long_does_not_replace_a_later_one(open_page, tmp_path):
    page = shown(open_page("your_network"))
    page.evaluate(
        """() => {
          const real = self.createImageBitmap.bind(self);
          self.createImageBitmap = async (...given) => {
            await new Promise((done) => { self.letGo = done; });
            return real(...given);
          };
        }"""
    )
    path = tmp_path / "slow.jpg"
    Image.new("RGB", (64, 48), (200, 150, 160)).save(path)
    page.locator("#file").set_input_files(str(path))
    before = page.locator("#viewer").get_attribute("data-shown")
    page.get_by_role("button", name="Example 2").click()
    page.locator(f"#viewer:not([data-shown='{before}'])").wait_for()
    page.evaluate("() => self.letGo()")
    page.wait_for_timeout(500)
    assert "slow.jpg" not in page.locator("#picture-text").inner_text()


def test_a_network_that_loads_does_not_replace_one_chosen_later(open_page):
    page = shown(open_page("watch_a_digit"))
    count = "() => self.page.shown.network.steps.length"
    first = page.evaluate(count)
    page.evaluate(
        "() => [1, 0].forEach((i) => document.querySelectorAll('[name=network]')[i].click())"
    )
    page.wait_for_timeout(1500)
    assert page.evaluate(count) == first
    page.locator("[name=network]").nth(1).check()
    page.locator("#viewer", has_text="pool1").wait_for()
    assert page.evaluate(count) != first


def test_temperature_and_threshold_are_those_of_tfcnn(open_page):
    from tfcnn.evaluation import calibration

    page = open_page("probabilities")
    rng = np.random.default_rng(0)
    cases = []
    for number in range(200):
        count, classes = int(rng.integers(1, 60)), int(rng.integers(2, 6))
        probs = rng.dirichlet(np.full(classes, rng.choice([0.05, 0.5, 2])), count)
        positive = int(rng.integers(0, 2)) if classes == 2 and number % 2 else None
        labels = rng.integers(0, classes, count)
        temperature = float(rng.uniform(0.25, 4))
        cases.append((labels.tolist(), probs.tolist(), positive, temperature))
    body = """
      const own = await module("lab/calibration.js");
      return value.map(([labels, probs, positive, temperature]) => {
        const softer = own.applyTemperature(probs, temperature);
        const rows = own.reliability(labels, softer, positive);
        return { softer, rows, ece: own.ece(rows), loss: own.logLoss(labels, softer) };
      });"""
    for (labels, probs, positive, temperature), found in zip(
        cases, call(page, body, cases), strict=True
    ):
        softer = calibration.apply_temperature(probs, temperature)
        np.testing.assert_allclose(found["softer"], softer, rtol=0, atol=1e-6)
        described = calibration.describe(labels, softer, 1.0, positive=positive)
        assert found["ece"] == pytest.approx(described["ece"]["after"], abs=1e-6)
        if positive is None:
            assert found["loss"] == pytest.approx(described["log_loss"]["after"], abs=1e-6)
        for row, expected in zip(found["rows"], described["bins"]["after"], strict=True):
            assert row == pytest.approx(expected, abs=1e-6)


def test_temperature_and_threshold_move_the_figures(open_page):
    page = open_page("probabilities")
    ece = page.locator("#calibration-facts .is-main dd")
    fitted = ece.inner_text()
    page.get_by_role("button", name="As they were before").click()
    assert ece.inner_text() != fitted
    right = page.locator("#calibration-facts dd").nth(2).inner_text()
    page.locator("#temperature").press("End")
    assert page.locator("#calibration-facts dd").nth(2).inner_text() == right  # no answer changes
    page.locator("#threshold").press("Home")
    assert page.locator("#threshold-facts dd").nth(0).inner_text().startswith("100.0")
    assert page.locator("#confusion td.right").nth(1).inner_text() == "0"


def test_a_split_by_image_flatters_more_than_one_by_patient(open_page):
    page = open_page("the_leak", 390)
    page.locator("#facts dd").first.wait_for(timeout=READY_MS)
    page.locator("#both").press("End")
    assert page.locator("#facts dd").nth(2).inner_text() == "12 of 12"
    own, fresh = (
        float(page.locator("#facts").get_attribute(f"data-{name}")) for name in ("test", "fresh")
    )
    assert own > fresh
    page.get_by_role("combobox", name="Patient 1", exact=True).select_option("train")
    assert page.locator("#facts dd").nth(2).inner_text() == "11 of 12"
    page.get_by_role("button", name="Train 80 models").click()
    page.locator("#verdict[data-fresh]").wait_for(timeout=READY_MS)
    by_patient, by_image, fresh = (
        float(page.locator("#verdict").get_attribute(f"data-{name}"))
        for name in ("by-patient", "by-image", "fresh")
    )
    assert by_image - fresh > 0.05  # measured: .105
    assert abs(by_patient - fresh) < by_image - fresh


def test_the_leak_models_are_those_of_scikit_learn(open_page):
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    page = open_page("the_leak")
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(80, 11)), rng.normal(size=(60, 11))
    labels = (rows[:, 0] + rng.normal(size=80) > 0).astype(int)
    body = """
      const { MODELS } = await module("page/models.js");
      return MODELS.nearest(value[0], value[1])(value[2]);"""
    scaler = StandardScaler().fit(rows)
    expected = (
        KNeighborsClassifier(1)
        .fit(scaler.transform(rows), labels)
        .predict(scaler.transform(others))
    )
    assert call(page, body, [rows.tolist(), labels.tolist(), others.tolist()]) == expected.tolist()


def test_every_famous_network_is_drawn_and_counted(open_page):
    page = open_page("famous_networks")
    expected = {
        "lenet5": "60,806",
        "alexnet": "60,965,224",
        "googlenet": "6,998,552",
        "resnet50": "25,610,152",
    }
    for key, parameters in expected.items():
        page.locator(f"[name=network][value={key}]").check(force=True)
        assert page.locator("#facts .is-main dd").inner_text() == parameters
    page.locator("#drawing svg").focus()
    page.locator("#drawing svg").press("ArrowLeft")
    first = page.locator("#detail h3").inner_text()
    page.locator("#drawing svg").press("ArrowRight")
    assert page.locator("#detail h3").inner_text() != first


@pytest.mark.slow
@needs_mirror
def test_a_run_of_the_course_is_laid_open(write_site, open_site, tmp_path):
    home = tmp_path / "home"
    run_tfcnn("download", "cifar10", "--from", MIRROR, home=home)
    result = run_tfcnn("train", "cifar10-course", "--set", "train.epochs=1", home=home)
    assert result.returncode == 0, result.stderr
    assert_the_pages_show(runs.read(home / "models" / "cifar10-course"), write_site, open_site)


def test_the_pages_of_another_run_show_it(write_site, open_site, trained):
    assert_the_pages_show(runs.read(trained), write_site, open_site)


def assert_the_pages_show(run: runs.Run, write_site: Any, open_site: Any) -> None:
    open_own = open_site(write_site(run))
    page = shown(open_own("your_network"))
    assert page.get_by_role("heading", name=run.name, exact=True).is_visible()
    assert_every_layer_is_keras(page, model_of(run))
    val = sum(row["split"] == "val" for row in run.predictions)
    assert f"{val:,} images of val" in open_own("probabilities").locator(".source").inner_text()
