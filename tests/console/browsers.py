"""A real browser: Debian's Chromium, driven by Playwright. It goes nowhere but to loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, or a skipped test."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        expect.set_options(timeout=60_000)  # five seconds are too few for a browser on a machine with other work
        running = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield running
        running.close()


def sign_in(context: BrowserContext, url: str, person: str) -> Page:
    """A page at the URL, of somebody who signed in at the provider on the way there."""
    page = context.new_page()
    page.goto(url)
    page.get_by_label("You are").select_option(person)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("header nav")
    return page
