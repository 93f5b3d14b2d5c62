"""Tests of alexnet.report.page: what is in it and, in the system's Chromium, whether everyone can read it.

Without Chromium, or without playwright, those in the browser are skipped.
"""

import re
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from alexnet.report.page import page, write_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE, PHONE = {"width": 1100, "height": 900}, {"width": 390, "height": 844}
MOST_BYTES = 3_000_000
VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Follows every element to its end."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(params=["account", "bare", "hostile", "both"])
def text(request):
    if request.param == "both":
        one = request.getfixturevalue("account")
        return page([one, replace(one, path=Path("<i>other"), recipe=one.recipe.with_changes(lr=0.5))])
    return page([request.getfixturevalue(request.param)])


def test_every_element_ends_and_every_picture_has_its_words(text):
    told = Balanced(text)
    assert told.open == []
    names = [name for name, _ in told.seen]
    assert all(attrs.get("alt") for name, attrs in told.seen if name == "img")
    assert not {"script", "link", "iframe", "object", "form"} & set(names)
    assert not [attrs for _, attrs in told.seen if any(key.startswith("on") for key in attrs)]


def test_nothing_is_fetched_from_elsewhere(text):
    told = Balanced(text)
    for _, attrs in told.seen:
        assert attrs.get("src", "data:image/").startswith("data:image/")
        assert attrs.get("href", "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\s\"<]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert len(text.encode()) < MOST_BYTES


def test_links_lead_to_their_sections(text):
    told = Balanced(text)
    ids = [attrs["id"] for _, attrs in told.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for name, attrs in told.seen if name == "a"} <= set(ids)


def test_a_run_is_told_whole(account):
    text = page([account])
    for title in ("Result", "How it learned", "What it answers", "Its hardest mistakes", "What it finds alike"):
        assert f">{title}</h2>" in text
    for title in ("Class by class", "What conv1 learned", "Network", "Recipe", "Data", "Speed", "Versions and digests"):
        assert f">{title}</h2>" in text
    assert account.digest in text
    assert account.store.digest in text


def test_runs_of_one_name_are_told_apart(account):
    text = page([replace(account, path=Path("/dogs/run")), replace(account, path=Path("/cats/run"))])
    assert "dogs/run, cats/run" in text


def test_without_a_store_the_rest_is_told(bare):
    text = page([bare])
    assert "There are no pictures on this page: " in text
    assert ">How it learned</h2>" in text
    assert ">What it answers</h2>" not in text
    assert text.count("<img") == 1  # the filters


def test_matplotlib_is_not_needed(account, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    write_page([account], tmp_path / "it.html")
    assert (tmp_path / "it.html").read_text(encoding="utf-8") == page([account])


# In a browser.

CONTRAST = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
    };
    const channel = (v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (element) => {
        const bar = element.matches(".label, .label *, .share") && element.closest("li").querySelector(":scope > .bar");
        for (let e = bar || element; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour[3] === 1) return colour;
        }
        return [255, 255, 255, 1];
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest(".hidden, .skip")) continue;
        const style = getComputedStyle(element);
        const [a, b] = [light(rgba(element.tagName === "text" ? style.fill : style.color)), light(behind(element))];
        found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 120)]);
    }
    return found;
}"""
NAMELESS = """() => [...document.querySelectorAll(
        "a, summary, img, svg:not([aria-hidden]), nav, section, [tabindex], table")]
    .filter((e) => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.alt || e.caption ||
                     (["A", "SUMMARY"].includes(e.tagName) && e.textContent.trim())))
    .map((e) => e.outerHTML.slice(0, 80))"""
HEADLESS = """() => [...document.querySelectorAll("table")].filter((t) => !t.caption || !t.tHead ||
    [...t.tHead.rows[0].cells].some((c) => c.tagName !== "TH" || c.scope !== "col") ||
    [...t.tBodies[0].rows].some((r) => r.cells[0].tagName !== "TH" || r.cells[0].scope !== "row" ||
                                       r.cells.length !== t.tHead.rows[0].cells.length)).length"""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")])
def shown(request, browser, hostile, tmp_path):
    """The page of the run with hostile names, opened from its file; nothing may be asked of others or go wrong."""
    file, wrong = tmp_path / "it.html", []
    write_page([hostile], file)
    viewport, scheme = request.param
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    opened = context.new_page()
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text))
    opened.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url))
    opened.goto(file.as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    yield opened
    assert opened.evaluate("typeof hacked") == "undefined"
    context.close()
    assert wrong == []


def test_every_text_can_be_read(shown):
    found = shown.evaluate(CONTRAST)
    assert len(found) > 200
    assert min(ratio for ratio, _ in found) >= 4.5, sorted(found)[:5]


def test_axe_finds_nothing(shown):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(shown)
    assert len(found.response["passes"]) > 20
    assert found.violations_count == 0, found.generate_report()


def test_everything_has_a_name_and_a_place(shown):
    assert shown.evaluate(NAMELESS) == []
    assert shown.evaluate(HEADLESS) == 0
    assert shown.evaluate("document.documentElement.lang") == "en"
    assert shown.title() == "<b>run – alexnet"
    assert [shown.locator(mark).count() for mark in ("main", "body > header", "nav", "footer", "h1")] == [1] * 5
    levels = shown.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert shown.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")


def test_nothing_is_wider_than_the_screen(shown):
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = (
        "[...document.querySelectorAll('nav a, summary')].filter((e) => e.getBoundingClientRect().height < 24).length"
    )
    assert shown.evaluate(small) == 0


def test_light_and_dark_are_drawn_and_it_prints(browser, account, tmp_path):
    write_page([account], tmp_path / "it.html")
    shades = []
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport=WIDE, color_scheme=scheme)
        opened = context.new_page()
        opened.goto((tmp_path / "it.html").as_uri())
        opened.screenshot(path=tmp_path / f"{scheme}.png")
        with Image.open(tmp_path / f"{scheme}.png") as picture:
            shades.append(picture.convert("L").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
        opened.emulate_media(media="print", color_scheme=scheme)
        assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not opened.locator("nav").is_visible()
        assert opened.pdf(path=tmp_path / "it.pdf").startswith(b"%PDF")
        context.close()
    assert shades[0] > 180 > 90 > shades[1]
