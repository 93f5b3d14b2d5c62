"""The page in a browser: the system's Chromium, headless; without it, or without playwright, skipped."""

import json
import shutil
import socket
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from alexnet.prediction import load
from alexnet.runs.checkpoint import Checkpoint

from .conftest import started, stopped

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

# Names that would do something if they were taken for anything but text.
HOSTILE = ["<img src=x onerror=hacked=1>", "<script>hacked=1</script>", "\u202etac", "a\r\nb", "&lt;", "x" * 300]
FLAGS = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
WIDE, PHONE = {"width": 1100, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory, tiny_run):
    """A network whose classes have hostile names, as a checkpoint alone."""
    path = tmp_path_factory.mktemp("odd") / "<b>run.safetensors"
    checkpoint = Checkpoint.read(tiny_run / "best.safetensors")
    classes = [*HOSTILE, *checkpoint.facts["classes"][len(HOSTILE) :]]
    Checkpoint(checkpoint.tensors, checkpoint.facts | {"classes": classes}).write(path)
    return path


@pytest.fixture(scope="module")
def server(odd_run, tmp_path_factory):
    server = started(odd_run, tmp_path_factory.mktemp("served"))
    yield server
    assert stopped(server).startswith("note: no nearest training pictures: ")  # a checkpoint has none


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two pictures and one that is none, with names that are hostile themselves."""
    folder, chance = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths = [folder / "<img src=x onerror=hacked=1>.png", folder / "second.jpg", folder / "broken.jpg"]
    for path in paths[:2]:
        Image.fromarray(chance.integers(0, 256, (60, 80, 3), np.uint8)).save(path)
    paths[2].write_bytes(paths[1].read_bytes()[:500])
    return paths


@pytest.fixture(scope="module")
def browser():
    with pytest.MonkeyPatch.context(), playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, server):
    """Open the page; at the end nothing may have been asked of others, gone wrong, or run that should not."""
    pages, wrong = [], []

    def open_page(viewport=WIDE, scheme="light", expected=()):
        context = browser.new_context(viewport=viewport, color_scheme=scheme, permissions=["camera"])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: said.text.startswith(expected) if expected else wrong.append(said.text))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((server.address, "blob:")) else wrong.append(asked.url),
        )
        page.goto(server.address)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.evaluate("typeof hacked") == "undefined"
        page.context.close()
    assert wrong == []


def until(page, expression):
    """Wait until an expression is true; the page's policy forbids playwright's own way, which makes code of text."""
    for _ in range(150):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never true: {expression}")


def answers(page, count=1):
    until(page, f"document.querySelectorAll('.guesses .guess, .words .error').length >= {count}")
    return page.locator(".card")


def expected_lines(odd_run, picture):
    guesses = load(odd_run).predict(picture)[0]
    return [(one.label, f"{one.probability * 100:.1f} %") for one in guesses]


def lines(card):
    rows = card.locator(".guess")
    return [(row.locator(".label").text_content(), row.locator(".percent").text_content()) for row in rows.all()]


# Giving it pictures.


def test_a_chosen_picture_is_answered_as_predict_would(opened, odd_run, pictures):
    page = opened()
    page.set_input_files("#files", pictures[0])
    (card,) = answers(page, 5).all()
    assert lines(card) == expected_lines(odd_run, pictures[0])
    assert card.locator("h3").text_content() == pictures[0].name
    assert pictures[0].name in page.locator("#status").text_content()


DROP = """([kind, name, bytes, type]) => {
    const transfer = new DataTransfer();
    if (name) transfer.items.add(new File([new Uint8Array(bytes)], name, {type}));
    const named = kind === "paste" ? {clipboardData: transfer} : {dataTransfer: transfer};
    const event = kind === "paste" ? new ClipboardEvent(kind, {bubbles: true, ...named})
                                   : new DragEvent(kind, {bubbles: true, cancelable: true, ...named});
    document.getElementById("drop").dispatchEvent(event);
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_may_be_dropped_and_pasted(opened, odd_run, pictures, kind):
    page = opened()
    page.evaluate(DROP, [kind, "second.jpg", list(pictures[1].read_bytes()), "image/jpeg"])
    (card,) = answers(page, 5).all()
    assert lines(card) == expected_lines(odd_run, pictures[1])


def test_what_is_no_picture_is_told_without_asking(opened):
    page = opened()
    page.evaluate(DROP, ["drop", "notes.txt", [65], "text/plain"])
    assert page.locator("#status").text_content() == "That is no picture."
    page.evaluate(DROP, ["paste", "", [], ""])
    assert page.locator("#status").text_content() == "That holds no picture file; save it first."
    assert page.locator(".card").count() == 0


def test_the_camera_gives_a_picture(opened):
    page = opened()
    page.click("#camera")
    until(page, "document.getElementById('video').videoWidth > 0")
    page.click("#shoot")
    (card,) = answers(page, 5).all()
    assert card.locator("h3").text_content() == "camera"
    assert not page.locator("#camera-dialog").is_visible()
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_several_are_answered_and_a_bad_one_stops_none(opened, odd_run, pictures):
    page = opened(expected=("Failed to load resource",))
    page.set_input_files("#files", pictures)
    cards = answers(page, 11).all()
    until(page, "document.getElementById('status').textContent.startsWith('All 3 answered.')")
    assert [card.locator("h3").text_content() for card in cards] == [picture.name for picture in pictures]
    for card, picture in zip(cards[:2], pictures[:2], strict=True):
        assert lines(card) == expected_lines(odd_run, picture)
        assert not card.locator(".look").is_visible()  # several are not all looked at closer
    assert "Truncated" in cards[2].locator(".error").text_content()
    page.click("#clear")
    assert page.locator(".card").count() == 0
    assert page.evaluate("document.activeElement.id") == "files"


def test_a_busy_server_is_asked_again(opened, pictures):
    page = opened(expected=("Failed to load resource",))
    busy = iter([True, True, False])

    def answer(route):
        if route.request.method == "POST" and next(busy, False):
            route.fulfill(status=503, headers={"Retry-After": "0"}, body=json.dumps({"error": "busy"}))
        else:
            route.continue_()

    page.route("**/*", answer)
    page.set_input_files("#files", pictures[0])
    assert len(lines(answers(page, 5).first)) == 5


def test_a_server_that_is_gone_is_told(opened, pictures):
    page = opened(expected=("Failed to load resource",))
    page.route("**/*", lambda route: route.abort())
    page.set_input_files("#files", pictures[0])
    assert "is alexnet serve still running?" in answers(page).locator(".error").text_content()


# Looking closer.


def test_one_picture_is_looked_at_closer_by_itself(opened, pictures):
    page = opened()
    page.set_input_files("#files", pictures[0])
    page.wait_for_selector(".maps img")
    assert page.locator(".pictures .large").count() == 2
    assert page.locator(".maps .map").count() == 8
    note = page.locator(".look .note").first.text_content()
    assert "Measured by covering" in note
    until(page, "[...document.images].every((image) => image.complete)")
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")


def test_neighbors_are_shown_where_there_are_some(opened, pictures):
    page = opened()
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    near = [{"name": HOSTILE[0], "label": HOSTILE[1], "distance": 1.25, "picture": dot}] * 6

    def with_neighbors(route):
        told = route.fetch().json()
        route.fulfill(json=told | {"neighbors": near})

    page.route("**/look", with_neighbors)
    page.set_input_files("#files", pictures[0])
    page.wait_for_selector(".near img")
    assert page.locator(".near").count() == 6
    assert page.locator(".near figcaption").first.text_content() == f"{HOSTILE[1]}, 1.3"


# For everyone.

CONTRAST = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
    };
    const channel = (v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour[3] === 1) return colour;
        }
        return [255, 255, 255, 1];
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || !element.checkVisibility() || element.tagName === "TEMPLATE") continue;
        const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
        found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)]);
    }
    return found;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, input, summary, a, img, dialog, video, section, pre")]
    .filter((e) => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.alt ||
                     (e.labels && e.labels.length) || (e.tagName !== "SECTION" && e.textContent.trim())))
    .map((e) => e.outerHTML.slice(0, 80))"""
FILLED = "() => [...document.querySelectorAll('[id]')].map((element) => element.id)"


@pytest.fixture(params=[(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "phone"])
def full_page(request, opened, pictures):
    """The page with all it can show, an error too."""
    page = opened(*request.param, expected=("Failed to load resource",))
    page.set_input_files("#files", pictures[2])
    page.wait_for_selector(".error")
    page.set_input_files("#files", pictures[0])
    page.wait_for_selector(".maps img")
    page.click("#programs summary")
    return page


def test_every_text_can_be_read(full_page):
    found = full_page.evaluate(CONTRAST)
    assert len(found) > 30
    assert min(ratio for ratio, _ in found) >= 4.5, sorted(found)[:5]


def test_axe_finds_nothing(full_page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(full_page)
    assert len(found.response["passes"]) > 20
    assert found.violations_count == 0, found.generate_report()


def test_everything_has_a_name_and_a_place(full_page):
    page = full_page
    assert page.evaluate(NAMELESS) == []
    ids = page.evaluate(FILLED)
    assert len(ids) == len(set(ids))
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() == "<b>run.safetensors – alexnet"
    assert [page.locator(landmark).count() for landmark in ("main", "header", "h1")] == [1, 1, 1]
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    references = "[...document.querySelectorAll('[aria-labelledby], [for]')]"
    references += ".map((e) => e.htmlFor || e.getAttribute('aria-labelledby'))"
    assert set(page.evaluate(references)) <= set(ids)


def test_nothing_is_cut_off_or_too_small_to_touch(full_page):
    page = full_page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = "[...document.querySelectorAll('button, label.button, summary')].filter((e) => e.checkVisibility())"
    assert page.evaluate(f"Math.min(...{small}.map((e) => e.getBoundingClientRect().height))") >= 24


def test_all_can_be_reached_and_used_by_keyboard(opened, pictures):
    page = opened()
    page.set_input_files("#files", pictures[0])
    page.wait_for_selector(".maps img")
    reached = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(6):
        page.keyboard.press("Tab")
        element = page.evaluate(
            "(() => { const e = document.activeElement, shown = e.id === 'files' ? document.querySelector('label') : e;"
            "return [e.id || e.className || e.tagName, getComputedStyle(shown).outlineStyle]; })()"
        )
        assert element[1] != "none", element
        reached.append(element[0])
    assert reached == ["skip", "files", "camera", "clear", "closer", "SUMMARY"]
    page.locator(".closer").focus()
    page.keyboard.press("Enter")
    assert page.locator(".closer").get_attribute("aria-expanded") == "false"
    assert not page.locator(".look").is_visible()
    page.keyboard.press("Space")
    assert page.locator(".look").is_visible()
    page.locator("#camera").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#camera-dialog[open]")
    page.keyboard.press("Escape")
    until(page, "!document.getElementById('camera-dialog').open")
    assert page.evaluate("document.activeElement.id") == "camera"


def test_light_and_dark_are_drawn(opened, pictures, tmp_path):
    shades = []
    for scheme in ("light", "dark"):
        page = opened(scheme=scheme)
        page.set_input_files("#files", pictures[1])
        page.wait_for_selector(".maps img")
        file = tmp_path / f"{scheme}.png"
        page.screenshot(path=file, full_page=True)
        with Image.open(file) as picture:
            shades.append(picture.convert("L").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
    assert shades[0] > 180 > 90 > shades[1]


def test_the_policy_lets_nothing_else_in(opened, server):
    page = opened(expected=("Refused", "Connecting to", "Loading", "Executing", "Fetch API", "The page"))
    assert page.evaluate("new Promise((r) => { fetch('http://127.0.0.1:9/').then(() => r(1), () => r(0)); })") == 0
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'hacked = 1'}))")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"hacked=1\">')")
    page.wait_for_timeout(100)
    assert page.evaluate("typeof hacked") == "undefined"


def test_another_page_cannot_ask(browser, server):
    """A page of another origin sees no answer, whatever it sends."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
    context = browser.new_context()
    page = context.new_page()
    page.route(address, lambda route: route.fulfill(body="<p>elsewhere</p>", content_type="text/html"))
    page.goto(address)
    ask = "([url, options]) => fetch(url, options).then((response) => response.type, () => 'refused')"
    for method in ({}, {"method": "POST", "body": "x"}):
        for mode in ("cors", "no-cors"):
            assert page.evaluate(ask, [server.address, {"mode": mode, **method}]) == "refused"
    context.close()
