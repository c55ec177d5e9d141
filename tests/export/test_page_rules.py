"""The page's rules and its table are those of `tfcnn predict`."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_parts import call, in_text

from tfcnn import runs
from tfcnn.base import atomic
from tfcnn.datasets import _files
from tfcnn.datasets.folder import image_files
from tfcnn.export.page import group_rules, page_settings
from tfcnn.prediction import Prediction, Predictor, decide, domain, flags, output
from tfcnn.prediction.paths import groups_of
from tfcnn.runs import Run

ZOO = Path(runs.ZOO)


def malaria(**changes: Any) -> Run:
    run = runs.open_run("malaria")
    return Run(run.path, {**run.card, **changes})


def test_distances_from_the_usual_are_equal(opened):
    predictor = Predictor(malaria(), "litert")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 40, 40, 3), dtype=np.uint8)
    images[:20] //= 8
    images[20:40] = np.clip(images[20:40] * 0.1 + 150, 0, 255).astype(np.uint8)
    _, features = predictor.probs_and_features(images)
    expected = predictor.domain.distances(images, features)
    body = """
      const { distances } = await module("domain");
      const { readSettings } = await module("settings");
      const { arrays, ...rest } = value;
      const known = Object.fromEntries(Object.entries(arrays).map(([name, { shape, text }]) =>
        [name, { shape, values: new Float32Array(bytesOf(text).buffer) }]));
      const usual = { ...known, ...rest.domain };
      return rest.images.map((text, i) => distances(usual, bytesOf(text),
        new Float32Array(bytesOf(rest.features[i]).buffer), { image_size: [40, 40], channels: 3 }));
    """
    arrays = {
        name: {"shape": list(array.shape), "text": in_text(array.astype("<f4").tobytes())}
        for name, array in predictor.domain.arrays.items()
    }
    value = {
        "arrays": arrays,
        "domain": {"center": predictor.domain.center, "spread": predictor.domain.spread},
        "images": [in_text(image.tobytes()) for image in images],
        "features": [in_text(row.tobytes()) for row in features],
    }
    np.testing.assert_allclose(call(opened, body, value), expected, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (40, 61), (130, 97)])
def test_statistics_are_equal(opened, channels, size):
    images = np.random.default_rng(1).integers(0, 256, (4, *size, channels), dtype=np.uint8)
    body = """
      const { statistics } = await module("statistics");
      return value.images.map((text) => statistics(bytesOf(text), value.size, value.channels));
    """
    texts = [in_text(image.tobytes()) for image in images]
    answer = call(opened, body, {"images": texts, "size": size, "channels": channels})
    np.testing.assert_allclose(answer, domain.statistics(images), atol=2e-5)


def test_decisions_and_flags_are_equal_also_at_the_bounds(opened):
    rng = np.random.default_rng(0)
    first = np.concatenate([rng.random(200), [0.3, 0.5, 0.7, np.nan]]).astype(np.float32)
    probs = np.stack([first, 1 - first], axis=1)
    far = rng.normal(1, 2, (len(probs), 2)).astype(np.float32)
    far[:4] = [[np.float32(1.3), 0], [0, np.float32(1.3)], [np.nan, 0], [5, 5]]
    usual, band, threshold = domain.Domain({}, threshold=1.3), (0.3, 0.7), 0.7
    expected = [
        [*decide(row, 1, threshold), *flag]
        for row, flag in zip(probs, flags(probs, 1, band, usual, far), strict=True)
    ]
    body = """
      const { decide, flagOf } = await module("rules");
      const number = (text) => Math.fround(Number(text));
      return value.rows.map(({ probs, far }) => {
        const row = probs.map(number);
        const { predicted, decision } = decide(row, 1, value.threshold);
        const { flag, reason } = flagOf(row, far.map(number), true, value);
        return [predicted, decision, flag, reason];
      });
    """
    rows = [
        {"probs": [repr(float(p)) for p in row], "far": [repr(float(d)) for d in pair]}
        for row, pair in zip(probs, far, strict=True)
    ]
    for row in rows:
        for key in row:
            row[key] = [text.replace("nan", "NaN") for text in row[key]]
    value = {"rows": rows, "threshold": threshold, "positive": 1, "abstention": band}
    answer = call(opened, body, {**value, "domain": {"threshold": usual.threshold}})
    has_answer = np.isfinite(probs).all(axis=1)
    assert [row for row, known in zip(answer, has_answer, strict=True) if known] == [
        row for row, known in zip(expected, has_answer, strict=True) if known
    ]
    assert [row[2:] for row in answer] == [row[2:] for row in expected]
    assert {row[2] for row in answer} == {"", "abstain", "out-of-domain", "no-answer"}


def test_what_the_browser_decodes_otherwise_is_flagged_last(opened):
    body = """
      const { flagOf } = await module("rules");
      const run = { positive: null, abstention: value.band, domain: null };
      const flag = (isExact) => flagOf([0.1, 0.6, 0.3], null, isExact, run).flag;
      return [flag(false), flag(true)];
    """
    assert call(opened, body, {"band": None}) == ["approximate", ""]
    assert call(opened, body, {"band": [0.5, 0.7]}) == ["abstain", "abstain"]


NAMES = [
    "a.png", "two words.png", "=1+1", "-x", "'x", "a,b.png", 'a"b', "ä.png", "tab\there", "a\nb",
    "\x1b[31m", "\u202egnp", "\\x41", "\\n", "@x", "＝1", "x;y", "", "😀.png",
]  # fmt: skip


def test_the_table_is_the_same_bytes_for_the_same_probabilities(opened):
    run = malaria(threshold=0.43)
    rng = np.random.default_rng(0)
    exact = [2.0**-10, 2.0**-20, 1e-5, 1e-7, 0.5, 1.0, 0.0, 0.4299996, 0.43, 0.999999, 1 / 3]
    first = np.float32([*exact, *rng.random(300), *10 ** rng.uniform(-12, 0, 300)])
    rows = []
    for i, prob in enumerate(first):
        probs = dict(zip(run.class_names, map(float, (prob, np.float32(1) - prob)), strict=True))
        name = NAMES[i % len(NAMES)]
        flag = str(rng.choice(["", "abstain"]))
        rows.append(Prediction(name, "Parasitized", probs, "Uninfected", flag, group=name[:3]))
    rows.append(Prediction("none.png", "", {}, "", "unreadable", "why"))
    body = """
      const { csv } = await module("csv");
      return [csv(value.rows, value.run, true), csv(value.rows, value.run, false)];
    """
    plain = [
        {**vars(row), "probs": list(row.probs.values()) if row.probs else None} for row in rows
    ]
    names = {"class_names": run.class_names, "positive": run.positive, "threshold": run.threshold}
    answer = call(opened, body, {"rows": plain, "run": names})
    for has_groups, text in zip((True, False), answer, strict=True):
        file = io.StringIO()
        atomic.write_rows(file, output._rows(rows, run, has_groups))
        assert text == file.getvalue()


TREE = (
    "a.png", "b.PNG", "b.jpg", "notes.txt", "Thumbs.db", ".hidden.png", "~$x.png", "no_suffix",
    "sub/z.png", "sub/a.png", "sub/a_mask.png", "sub/_thumbs/x.png", "mask/a.png", "sub/.git/x.png",
    "sub/@eaDir/x.png", "bad/one_bad.png", "augmented/aug_a_2.png", "Z.png", "ä.png", "scan.dcm",
    "masks/a.png", "images/1.png", "images/1_seg.png", "images/skip me.png", "x.nii.gz",
)  # fmt: skip


def test_a_folder_gives_the_same_images_in_the_same_order(opened, tmp_path):
    root = tmp_path / "cells"
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        is_png = name.endswith("no_suffix")
        (root / name).write_bytes(b"\x89PNG\r\n\x1a\n" if is_png else b"text")
    ignore = ("*_bad*", "skip me.png", "[q-z].nii.gz")
    images, left_out = image_files(root, ignore)
    body = """
      const { sortFolder } = await module("folders");
      const fileOf = (text) => new Blob([bytesOf(text)]);
      const files = value.files.map(({ path, text }) => ({ path, file: fileOf(text) }));
      const { images, leftOut } = await sortFolder(files, value);
      return [images.map(({ path }) => path), leftOut.map(({ path, why }) => [path, why]).sort()];
    """
    known = page_settings.settings(malaria())
    files = [
        {"path": f"cells/{name}", "text": in_text((root / name).read_bytes())} for name in TREE
    ]
    value = {"files": files, "ignore": ignore, "folders": known["folders"], "kinds": known["kinds"]}
    answer = call(opened, body, value)
    assert answer[0] == [path.relative_to(tmp_path).as_posix() for path in images]
    assert answer[1] == sorted(
        [Path(one.path).relative_to(tmp_path).as_posix(), one.kind] for one in left_out
    )
    assert {why for _, why in answer[1]} >= {_files.HIDDEN, _files.MASK, _files.IGNORED, ".txt"}


PATHS = ["cells/C12P3_x.png", "cells/sub/P7/x1.png", "alone.png", "cells/Parasitized/s1/a.png",
         "cells/none.png", "cells/uninfected/b.png"]  # fmt: skip
RULES = [
    {"group_regex": r"^(C\d+)"},
    {"group_regex": r"[PC][0-9]{1,3}?(?=x)?"},
    {"group_regex": r"(?:^|/)(P\d+)/|s(\w)"},
    {"group_regex": r"(?i)c12"},
    {"group_regex": r"(\w+?)_[^a-f]"},
    {"group_regex": None, "group_from": "folder"},
    {"group_regex": None, "group_from": "folder-above"},
    {"group_regex": None},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_groups_are_the_runs_own_or_said_not_to_be_known(opened, rule):
    run = malaria()
    run = Run(run.path, {**run.card, "data": {**run.card["data"], **rule}})
    roots = ["cells", "alone.png"]
    expected = list(groups_of(run, roots, PATHS).values())
    found = group_rules.rule(run)
    body = """
      const { groupsOf } = await module("groups");
      return groupsOf(value.paths, new Set(value.roots), value);
    """
    names = list(run.class_names)
    value = {"paths": PATHS, "roots": roots, "groups": found, "class_names": names}
    answer = call(opened, body, value)
    if found and found["kind"] == "not-here":
        assert answer == [""] * len(PATHS) and re.search("i|=|above", json.dumps(rule))
    else:
        assert answer == expected
