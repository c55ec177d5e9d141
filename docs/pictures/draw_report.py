"""Draw the README's picture of a report: draw_report.py models/smears report.png.

Of drawn cells only: pictures of real ones are not ours to publish. Needs Chromium, see
scripts/install_browser.sh.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

import tfcnn

PARTS = ("header", "#confusion", "#errors", "#groups", "#calibration")
STYLE = f"""
  nav, footer, section:not({", ".join(PARTS[1:])}) {{ display: none }}
  .cards li:nth-child(n + 5), #groups h3, #groups h3 ~ * {{ display: none !important }}
  section {{ margin-top: 1.25rem !important }}
  body {{ padding-bottom: 1rem }}
"""


def main(folder: Path, target: Path) -> None:
    """Open the report of a run and take a picture of its parts."""
    if tfcnn.load(folder).card["data"]["source"] != "smears":
        sys.exit(f"error: {folder}: expected a run on drawn cells; received another")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1024, "height": 900})
        page.goto((folder / "report.html").resolve().as_uri())
        page.add_style_tag(content=STYLE)
        page.screenshot(path=target, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
