"""The report as people meet it: made by `./run.sh --report`, opened from disk in headless Chromium."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser.report.collect import find_results, systems_of
from ser.report.compact import compact
from ser.report.page import page
from tests.recipes.conftest import ROOT, copy_tree, tables

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install '.[test]')")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium: apt-get install chromium chromium-driver"
)

FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync", "disable-dev-shm-usage", "window-size=1280,900")  # fmt: skip

DESKTOP, PHONE = (1280, 900), (390, 844)

CONTRASTS = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let part = element; part; part = part.parentElement) {
    const color = parse(getComputedStyle(part).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
document.querySelectorAll("details").forEach((part) => { part.open = true; });
document.querySelectorAll("[hidden]").forEach((part) => { part.hidden = false; });
const found = {};
for (const element of document.body.querySelectorAll("*")) {
  const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
  if (!text || ["SCRIPT", "STYLE", "TITLE", "OPTION"].includes(element.tagName.toUpperCase())) continue;
  const style = getComputedStyle(element);
  const front = parse(element instanceof SVGElement ? style.fill : style.color), back = behind(element);
  const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
  const name = `${element.tagName} ${element.className.baseVal ?? element.className}`;
  found[`${name} ${front} on ${back}`] = (high + 0.05) / (low + 0.05);
}
return found;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def mini(finished, tmp_path_factory) -> Path:
    """The report on the recipe that has run."""
    checkout = finished.copy(tmp_path_factory.mktemp("mini") / "it's <mini> & Räume")
    result = checkout.run("--report", script=checkout.root / "run.sh")
    assert result.returncode == 0, result.stderr
    return checkout.root / "egs" / "report_mini.html"


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> Path:
    """The report on what is committed, made without any corpus."""
    checkout = copy_tree(tmp_path_factory.mktemp("committed") / "clone")
    result = checkout.run("--report", script=checkout.root / "run.sh", mini=False)
    assert result.returncode == 0, result.stderr
    return checkout.root / "egs" / "report.html"


@pytest.fixture(params=["mini", "committed"])
def opened(request, browser) -> webdriver.Chrome:
    """A report at desktop width, whose console stays silent until the test ends."""
    path = request.getfixturevalue(request.param)
    show(browser, DESKTOP)
    browser.get("about:blank")  # only a change of the address behind '#' would not load it anew
    browser.get_log("browser")
    browser.get(path.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def show(browser, size: tuple[int, int], scheme: str = "light") -> None:
    about = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", about)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def rows(browser) -> list[dict]:
    """Rows of the table of systems that are shown: their data, and the UAR or nothing."""
    return browser.execute_script(
        "return [...document.querySelectorAll('#table tbody tr:not([hidden])')].map((row) => "
        "({...row.dataset, text: row.textContent, uar: row.querySelector('strong')?.textContent ?? ''}));"
    )


def uars(browser) -> list[float]:
    found = [row["uar"] for row in rows(browser)]
    scored = [float(uar) for uar in found if uar]
    assert not any(found[len(scored) :])  # holes stand last
    return scored


def count(browser) -> tuple[int, int]:
    text = browser.find_element(By.ID, "count").text
    return tuple(map(int, re.fullmatch(r"(\d+) of (\d+) systems", text).groups()))


def sorting(browser) -> dict[str, str]:
    """Column -> `aria-sort`, of those that are sorted."""
    heads = browser.find_elements(By.CSS_SELECTOR, "#table thead th")
    return {head.text: order for head in heads if (order := head.get_attribute("aria-sort")) != "none"}


def press(browser, *keys: str) -> None:
    webdriver.ActionChains(browser).send_keys(*keys).perform()


# ---- What stage 6 left for it -----------------------------------------------------------------------------------


def test_numbers_are_those_of_the_page(finished):
    page = (finished.exp / "RESULTS.md").read_text()
    record = json.loads((finished.exp / "RESULTS.json").read_text())
    assert f"from {record['made_from']};" in page.splitlines()[0]
    assert (record["recipe"], record["mini"], record["kind"]) == ("ravdess2emodb", True, "open twin")
    assert record["command"] == "cd egs/ravdess2emodb && ./run.sh --mini true"
    assert record["corpora"]["emodb"] | {"formats": None} == {
        "title": "EMO-DB", "release": "mini", "n_utterances": 200, "n_speakers": 10, "formats": None
    }  # fmt: skip
    [table] = [table for table in record["tables"] if table["condition"]["shots"] == 5]
    printed = tables(page)["5 shots"]
    scored = [row for row in table["rows"] if "uar" in row]
    assert len(table["rows"]) > len(scored) > 20
    for row in (row for row in scored if row["feature"] in ("-", "fbank_no_cmvn")):
        cells = printed[row["label"]]
        assert float(cells["UAR"]) == pytest.approx(100 * row["uar"], abs=0.056)
        assert cells.get("notes", "").startswith("★") == row.get("is_best_of_all", False)
        if "interval" in row:
            low, high = map(float, cells["95 %"].split("-"))
            assert (low, high) == pytest.approx(tuple(100 * bound for bound in row["interval"]), abs=0.056)
        if "p" in row and row["p"] >= 0.001:
            assert float(cells["p"]) == pytest.approx(row["p"], abs=0.00051)
    assert {row["kind"] for row in table["rows"]} == {"reference", "paper", "beside", "variant", "shortcut"}
    assert {curve["label"] for curve in record["learning"]} >= {"source_only", "btl", "emofsl"}


def test_stage_6_writes_its_numbers_again_if_they_are_gone(own):
    path = own.exp / "RESULTS.json"
    before = path.read_bytes()
    path.unlink()
    assert own.run("--stage", "6").returncode == 0
    assert path.read_bytes() == before
    assert "results: up to date" in own.run("--stage", "6").stdout
    path.write_text(path.read_text().replace('"uar":0.', '"uar":1.', 1))
    assert "RESULTS.json: was changed after it was written; written again" in own.run("--stage", "6").stdout
    assert path.read_bytes() == before


@pytest.mark.parametrize("option", ["--report", "--render"])
def test_report_takes_no_recipe(finished, option):
    result = finished.run(option)
    assert result.returncode == 2
    assert result.stderr == f"run.sh: '{option}' is about all recipes: ./run.sh {option}\n"


def test_render_writes_every_page_from_numbers_only(own):
    """Without corpora, features and scores, the pages come back as they were."""
    page = own.exp / "RESULTS.md"
    before = page.read_bytes()
    page.write_text(page.read_text() + "edited")
    for folder in ("data_mini", "dump_mini", "data", "dump"):
        shutil.rmtree(own.root / folder, ignore_errors=True)
    for folder in own.exp.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    result = own.run("--render", script=own.root / "run.sh")
    assert result.returncode == 0, result.stderr
    assert "rendered 1 pages of recipes, of which 1 changed" in result.stdout
    assert page.read_bytes() == before
    assert (own.root / "egs" / "report_mini.html").exists()


def test_the_report_on_what_is_committed_is_small(committed):
    assert committed.stat().st_size < 1_500_000


def test_every_link_of_the_report_on_what_is_committed_leads_somewhere(committed):
    """Cells of the heat maps led to variants that the report had left out."""
    text = committed.read_text()
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert len(links) > 100 and links <= set(re.findall(r'\bid="([^"]+)"', text))


# ---- In the browser -----------------------------------------------------------------------------------------------


@needs_chromium
def test_sorts_by_mouse(opened):
    first = [row["text"] for row in rows(opened)]
    button = opened.find_element(By.CSS_SELECTOR, "button[data-key=uar]")
    button.click()
    found = uars(opened)
    assert found == sorted(found, reverse=True)
    assert sorting(opened) == {"UAR %": "descending"}
    button.click()
    found = uars(opened)
    assert found == sorted(found)
    assert sorting(opened) == {"UAR %": "ascending"}
    button.click()
    assert sorting(opened) == {}
    assert [row["text"] for row in rows(opened)] == first


@needs_chromium
def test_sorts_by_keyboard_from_the_skip_link_on(opened):
    press(opened, Keys.TAB)
    assert opened.switch_to.active_element.get_attribute("class") == "skip"
    assert opened.switch_to.active_element.location["x"] >= 0  # it shows as soon as it has the focus
    press(opened, Keys.ENTER)
    assert opened.switch_to.active_element.get_attribute("id") == "systems"
    for _ in range(12):  # the fields of the form, the frame of the table
        press(opened, Keys.TAB)
        if opened.switch_to.active_element.get_attribute("data-key"):
            break
    assert opened.switch_to.active_element.get_attribute("data-key") == "pair"
    press(opened, Keys.ENTER)
    assert list(sorting(opened).values()) == ["ascending"]
    press(opened, Keys.SPACE)
    assert list(sorting(opened).values()) == ["descending"]
    assert list(sorting(opened)) == ["Trained on → tested on"]


@needs_chromium
def test_filters_tell_how_many_are_left_and_live_in_the_address(opened):
    shown, all_of_them = count(opened)
    assert len(rows(opened)) == shown
    assert not any("variant" in row for row in rows(opened))
    opened.find_element(By.ID, "f-all").click()
    assert count(opened) == (all_of_them, all_of_them)
    opened.find_element(By.ID, "f-all").click()
    assert count(opened) == (shown, all_of_them)

    Select(opened.find_element(By.ID, "f-regime")).select_by_value("k-shot")
    of_regime = rows(opened)
    assert 0 < len(of_regime) == count(opened)[0] < shown
    assert {row["regime"] for row in of_regime} == {"k-shot"}
    feature = of_regime[0]["feature"]
    Select(opened.find_element(By.ID, "f-feature")).select_by_visible_text(feature)
    opened.find_element(By.ID, "q").send_keys("EMOfsl yue")
    found = rows(opened)
    assert 0 < len(found) <= len(of_regime)
    assert {row["feature"] for row in found} == {feature}
    assert all("emofsl" in row["text"] and "Yue" in row["text"] for row in found)

    opened.get(opened.current_url)
    opened.refresh()
    assert [row["text"] for row in rows(opened)] == [row["text"] for row in found]
    assert opened.find_element(By.ID, "q").get_attribute("value") == "EMOfsl yue"
    opened.find_element(By.ID, "q").send_keys(" nothing has this")
    assert count(opened) == (0, all_of_them)
    opened.find_element(By.CSS_SELECTOR, "#controls button[type=reset]").click()
    assert count(opened) == (shown, all_of_them)
    assert "#" not in opened.current_url


@needs_chromium
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_links_open_what_they_lead_to(opened, size):
    show(opened, size)
    link = opened.find_element(By.CSS_SELECTOR, "#table tbody tr:not([hidden]) th a")
    target = opened.find_element(By.CSS_SELECTOR, link.get_attribute("href").partition("#")[2].join(["[id='", "']"]))
    assert not target.is_displayed()
    link.click()
    assert target.is_displayed()
    assert target.tag_name == "tr" and link.text.split() == target.find_element(By.TAG_NAME, "th").text.split()
    assert opened.switch_to.active_element == target
    top = opened.execute_script("return arguments[0].getBoundingClientRect().top", target)
    assert 0 <= top < size[1]
    for part in ("matrix", "recipes", "definitions"):
        opened.find_element(By.CSS_SELECTOR, f"nav a[href='#{part}']").click()
        assert opened.current_url.endswith(f"#{part}")


@needs_chromium
def test_matrix_shows_what_is_chosen(opened):
    visible = ".matrix:not([hidden]) caption"
    before = opened.find_element(By.CSS_SELECTOR, visible).text
    choice = Select(opened.find_element(By.ID, "m-choice"))
    choice.select_by_value("regime:k-shot")
    [caption] = opened.find_elements(By.CSS_SELECTOR, visible)
    assert caption.text != before
    assert caption.text.endswith("best: k shots")
    cell = opened.find_element(By.CSS_SELECTOR, ".matrix:not([hidden]) tbody td:not(.empty)")
    assert re.search(r"\d\d\.\d|needs", cell.text)


@needs_chromium
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_runs_over_the_side(opened, size):
    show(opened, size)
    opened.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    wide, inner = opened.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert inner == size[0]
    assert wide <= inner


@needs_chromium
def test_everything_has_a_name(opened):
    unnamed = opened.execute_script(
        "return [...document.querySelectorAll('input, select')].filter((field) => !field.labels.length)"
        ".concat([...document.querySelectorAll('img, svg')].filter((image) => image.getAttribute('role') !== 'img'"
        " || !image.getAttribute('aria-label')?.trim()))"
        ".concat([...document.querySelectorAll('button, a, summary')].filter((one) => !one.textContent.trim()))"
        ".concat([...document.querySelectorAll('[role=region]')].filter((one) => !one.getAttribute('aria-label')))"
        ".map((one) => one.outerHTML)"
    )
    assert unnamed == []
    assert opened.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
    assert len(opened.find_elements(By.TAG_NAME, "h1")) == 1
    assert opened.find_element(By.ID, "count").get_attribute("aria-live") == "polite"
    assert opened.find_elements(By.TAG_NAME, "svg")


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened, scheme):
    show(opened, DESKTOP, scheme)
    contrasts = opened.execute_script(CONTRASTS)
    assert len(contrasts) > 20
    assert {what: round(ratio, 2) for what, ratio in contrasts.items() if ratio < 4.5} == {}
    back = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", back)[:3])) < 384) == (scheme == "dark")


@needs_chromium
def test_end_tags_that_are_left_out_change_nothing(browser):
    """The browser builds the same elements with the same text, empty space aside."""
    found = find_results(ROOT / "egs")
    full = page(found, systems_of([one.record for one in found if one.record]))
    browser.get("about:blank")
    outline = """
    const parsed = new DOMParser().parseFromString(arguments[0], "text/html");
    return [...parsed.querySelectorAll("body *")].map((one) => [one.tagName, one.parentElement.tagName,
      one.tagName === "SCRIPT" ? "" : one.children.length ? one.children.length : one.textContent.trim()].join(" "));
    """
    short = compact(full)
    assert len(short) < 0.95 * len(full)
    expected = browser.execute_script(outline, full)
    assert len(expected) > 10_000
    assert browser.execute_script(outline, short) == expected


@needs_chromium
def test_intervals_are_drawn_in_the_figures_of_recipes(opened):
    opened.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    widths = opened.execute_script(
        "return [...document.querySelectorAll('svg .iv')].map((one) => one.getBBox().width)"
    )
    assert sum(width > 0 for width in widths) > 0.9 * len(widths) > 5  # where all predict one class, it has none


@needs_chromium
def test_a_long_table_scrolls_below_its_header(opened):
    show(opened, DESKTOP)
    frame = opened.find_element(By.CSS_SELECTOR, ".long")
    opened.execute_script("arguments[0].scrollIntoView(); arguments[0].scrollTop = 1e6;", frame)
    top, head = opened.execute_script(
        "return [arguments[0], arguments[0].querySelector('th')].map((one) => one.getBoundingClientRect().top)", frame
    )
    assert frame.size["height"] <= 0.8 * DESKTOP[1] + 2 and abs(head - top) < 3
