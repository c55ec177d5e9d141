"""Draw the README's pictures of reports: draw_report.py models/smears report.png.

Images of drawn cells only: those of real ones are not ours to publish, so of another run than
smears the picture holds plots. Needs Chromium, see scripts/install_browser.sh.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

import tfcnn

IMAGES = ("#confusion", "#errors", "#groups", "#calibration")
PLOTS = ("#groups", "#threshold", "#calibration")
STYLE = """
  nav, footer, section:not(%s) { display: none }
  .cards li:nth-child(n + 5), #groups h3, #groups h3 ~ * { display: none !important }
  section { margin-top: 1.25rem !important }
  body { padding-bottom: 1rem }
"""


def main(folder: Path, target: Path) -> None:
    """Open the report of a run and take a picture of its parts."""
    is_drawn = tfcnn.load(folder).card["data"]["source"] == "smears"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1024, "height": 900})
        page.goto((folder / "report.html").resolve().as_uri())
        page.add_style_tag(content=STYLE % ", ".join(IMAGES if is_drawn else PLOTS))
        seen = [image for image in page.locator("img").all() if image.is_visible()]
        if seen and not is_drawn:
            sys.exit(f"error: {folder}: expected plots alone; received an image of a real cell")
        page.screenshot(path=target, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
