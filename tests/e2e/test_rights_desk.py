"""The page on which people ask for something about their data who cannot sign in, in a real browser."""

import io
import re
import zipfile

import pytest


class Desk:
    def __init__(self, town, browser, language, **context):
        self.town = town
        self.page = browser.new_context(accept_downloads=True, **context).new_page()
        self.errors = []
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{town.url}/privacy/requests?language={language}")
        self.page.wait_for_selector("main[data-ready]")

    def enter(self, to):
        before = len(self.town.letters(to))
        self.page.fill("#address", to)
        self.page.click("#sending button")
        self.page.wait_for_selector("#entering:not([hidden])")
        self.town.wait(lambda: len(self.town.letters(to)) > before)
        self.page.fill("#code", re.search(r"\b\d{6}\b", self.town.letters(to)[0]).group())
        self.page.click("#entering button")
        self.page.wait_for_selector("#desk:not([hidden])")

    def ask(self, kind, text):
        self.page.select_option("#kind", kind)
        self.page.fill("#text", text)
        self.page.click("#asking button")

    def states(self):
        return self.page.locator("#requests [data-is=state]").all_inner_texts()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_somebody_who_is_locked_out_asks_and_takes_a_copy(town, chromium, somebody, language):
    name = f"lotte-{language}"
    account = somebody.register(name)
    town.run("account", "disable", account)
    desk = Desk(town, chromium, language, viewport={"width": 390, "height": 844}, color_scheme="dark")
    # What is wrong is said in the language of the page, and nothing is lost by it.
    desk.enter(f"{name}@example.org")
    desk.ask("complaint", "")
    desk.page.wait_for_selector('#said[data-wrong="true"]')
    desk.ask("complaint", "<b>you locked me out</b>")
    desk.page.wait_for_selector("#requests li")
    assert desk.states() == [{"en": "with us", "zh": "处理中"}[language]]
    assert desk.page.locator("#requests [data-is=text]").inner_text() == "<b>you locked me out</b>"
    with desk.page.expect_download() as taken:
        desk.page.click("#copying button")
    archive = zipfile.ZipFile(io.BytesIO(open(taken.value.path(), "rb").read()))
    assert f"{name}@example.org" in archive.read("json/account_contacts.json").decode()
    desk.page.click("#requests button[value=withdraw]")
    desk.page.wait_for_selector("#requests form", state="hidden")
    assert desk.states() == [{"en": "taken back", "zh": "已撤回"}[language]]
    # The one refusal was told to the browser as such; nothing else went wrong, and nothing stays in it.
    assert all("422" in error for error in desk.errors), desk.errors
    assert desk.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it fits a phone"
