"""How long a rater waits for the page on a slow phone: `make bench-page`.

A real Chromium, slowed down as Lighthouse slows it for a phone: 1.6 Mbit/s down, 750 kbit/s up, 150 ms from one end
to the other and back, a processor four times as slow. The page has every block asked and comes straight from the web
server of the container: no proxy, no TLS (which takes one or two more ways there and back).
Each sample is a new browser profile with an empty cache that has followed the link, and then the same again with the
cache full. Interactive is when the page is there and the last script has run: forms work from the first paint, without
any script.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from survey import context
from survey.core.questionnaires import BLOCKS
from tests import servers
from tests.attacks import rounds
from tests.benchmarks import crowds
from tests.company import Company

SAMPLES = 7
SLOW_PHONE = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
SLOWER = 4
"""How many times as slow the processor is made."""

NOTE_PAINTS = """
new PerformanceObserver(list => { for (const entry of list.getEntries()) window[entry.name] = entry.startTime })
    .observe({type: "paint", buffered: true});
"""
READ = """() => {
    const page = performance.getEntriesByType("navigation")[0];
    const parts = performance.getEntriesByType("resource").filter(part => part.name.includes("/static/"));
    const scripts = parts.filter(part => part.initiatorType === "script").map(part => part.responseEnd);
    return {
        painted: window["first-contentful-paint"] || 0,
        ready: page.domContentLoadedEventEnd,
        scripts: Math.max(0, ...scripts),
        loaded: page.loadEventEnd,
        bytes: [page, ...parts].reduce((sum, part) => sum + part.transferSize, 0),
    };
}"""


@dataclass(frozen=True)
class Sample:
    """Milliseconds from the first wish for the page, and bytes over the wire."""

    painted: float
    ready: float
    scripts: float
    loaded: float
    bytes: float

    @property
    def interactive(self) -> float:
        """Module scripts have run when the document's content is loaded; nothing can be used before it is painted."""
        return max(self.painted, self.ready)


def main() -> int:
    """Prints medians and the worst of each, with an empty cache and with a full one."""
    program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if program is None:
        print("There is no Chromium here.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        databases = servers.Databases(Path(folder))
        with rounds.installation(databases, "sqlite", Path(folder)) as app:
            company = Company(app)
            company.open(blocks=BLOCKS)
            link = f"/r/{company.tokens()['ana']}"
            url = context.installation().engine.url.render_as_string(hide_password=False)
            with (
                crowds.serving(crowds.settings_of(app, url), Path(folder) / "web.log") as server,
                sync_playwright() as playwright,
            ):
                browser = playwright.chromium.launch(
                    executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
                )
                start = f"http://127.0.0.1:{server.port}{link}"
                found = [_visit(browser, start) for _ in range(SAMPLES + 1)][1:]
                browser.close()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"slow 4G (1.6 Mbit/s, 150 ms), processor {SLOWER} times as slow; {SAMPLES} samples; load averages {load}")
    print(f"{'milliseconds, median (worst)':<30}{'empty cache':>16}{'full cache':>16}")
    for name in ("painted", "ready", "scripts", "interactive", "loaded"):
        _show(name, [[getattr(sample, name) for sample in column] for column in zip(*found, strict=True)])
    _show("bytes over the wire", [[sample.bytes for sample in column] for column in zip(*found, strict=True)])
    return 0


def _visit(browser: Browser, link: str) -> tuple[Sample, Sample]:
    """A rater's first look at the form, and the next one."""
    opened = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page = opened.new_page()
    page.add_init_script(NOTE_PAINTS)
    page.goto(link)
    page.locator("main form button").first.click()
    page.wait_for_url("**/feedback/*")
    address = page.url
    wire = opened.new_cdp_session(page)
    page.goto("about:blank")
    wire.send("Network.clearBrowserCache")
    wire.send("Network.emulateNetworkConditions", SLOW_PHONE)
    wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    samples = (_timed(page, address), _timed(page, address))
    opened.close()
    return samples


def _timed(page: Page, address: str) -> Sample:
    page.goto("about:blank")
    page.goto(address, wait_until="load")
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    page.wait_for_function("window['first-contentful-paint'] > 0")
    return Sample(**page.evaluate(READ))


def _show(what: str, columns: list[list[float]]) -> None:
    cells = (f"{statistics.median(column):>8.0f} ({max(column):.0f})" for column in columns)
    print(f"{what:<30}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
