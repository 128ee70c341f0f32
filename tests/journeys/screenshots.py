"""The screenshots of the README, taken from a fresh demo: `make screenshots`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers import free_port

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PATIENCE = 120


def main() -> None:
    """Starts a demo in an empty folder, takes the pictures, and stops it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium on this machine; on Debian, apt-get install chromium.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    survey = Path(sys.executable).with_name("survey")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "demo.log"
        with log.open("w") as output:
            demo = subprocess.Popen(
                [str(survey), "demo", "--instance", f"{folder}/instance", "--port", str(free_port())],
                stdout=output,
                stderr=output,
            )
        try:
            links = _links(log, demo)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
                _take(browser, links)
                browser.close()
        finally:
            demo.terminate()
            demo.wait()


def _take(browser: Browser, links: dict[str, str]) -> None:
    rater = browser.new_page(viewport={"width": 1000, "height": 1150}, reduced_motion="reduce")
    rater.goto(links["A rater"])
    rater.get_by_role("button", name="Start").click()
    rater.wait_for_url(re.compile("/feedback"))
    if not rater.get_by_role("radiogroup").count():
        rater.locator("main a[href^='/feedback/']").first.click()
    for number, choice in enumerate(("Often", "Sometimes")):
        rater.get_by_role("radiogroup").nth(number).get_by_label(choice, exact=True).check(force=True)
    rater.get_by_role("radiogroup").first.evaluate(
        "group => window.scrollTo(0, group.getBoundingClientRect().top + window.scrollY - 195)"
    )
    rater.mouse.move(0, 0)
    _save(rater, "rater.png")

    report = browser.new_page(viewport={"width": 1200, "height": 1150}, reduced_motion="reduce")
    report.goto(next(link for label, link in links.items() if label.startswith("Engineer")))
    report.get_by_role("button", name="Sign in").click()
    report.wait_for_url(re.compile("/reports"))
    report.locator("main a[href^='/reports/']").first.click()
    _save(report, "report.png")


def _save(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / name)
    print(f"docs/images/{name}")


def _links(log: Path, demo: subprocess.Popen[bytes]) -> dict[str, str]:
    until = time.monotonic() + PATIENCE
    while "Ctrl-C" not in log.read_text():
        if demo.poll() is not None or time.monotonic() > until:
            sys.exit(f"The demo did not start:\n{log.read_text()}")
        time.sleep(0.5)
    return dict(re.findall(r"^  (\S.*?)  +(http\S+)$", log.read_text(), re.MULTILINE))


if __name__ == "__main__":
    main()
