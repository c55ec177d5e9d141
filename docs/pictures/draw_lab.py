"""Draw the README's picture of the lab: python docs/pictures/draw_lab.py docs/pictures/lab.png.

Needs Chromium, see scripts/install_browser.sh.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import tfcnn

STYLE = """
  .top, .frame nav, .turn, .try, .controls:has(#pictures) { display: none }
  main > section + section > .small { display: none }
  .frame { display: block; margin-top: 1rem }
  main > section { margin-top: 1rem !important; padding-top: 1rem !important }
  body { padding-bottom: 1rem }
"""
WINDOW = (52, 50)  # row and column of the pixel that is pointed at: an edge of the roof


def main(target: Path) -> None:
    """Write the lab, set a kernel on its drawn picture, and take a picture of the page."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        index = tfcnn.open_lab("kernels", export=Path(folder) / "lab").first_page
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1024, "height": 900})
        page.goto((index.parent / "kernels.html").as_uri())
        page.get_by_role("button", name="A drawn house").click()
        page.get_by_role("button", name="sobel left").click()
        page.get_by_text("with its signs").click()
        page.add_style_tag(content=STYLE)
        box = page.locator("#output canvas").bounding_box()
        shape = page.locator("#output canvas").evaluate("one => [one.height, one.width]")
        row, column = ((place + 0.5) / side for place, side in zip(WINDOW, shape, strict=True))
        page.mouse.click(box["x"] + column * box["width"], box["y"] + row * box["height"])
        page.screenshot(path=target, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
