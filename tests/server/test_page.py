"""The page at ``/`` as it is served; tests/browser shows it in a browser."""

from __future__ import annotations

import re
from importlib.resources import files

import httpx
import pytest

import vaultbridge.server.page

FOLDER = files(vaultbridge.server.page)


def test_it_may_load_its_own_files_and_speak_to_its_server_and_nothing_else(client: httpx.Client) -> None:
    policy = dict(part.strip().split(" ", 1) for part in client.get("/").headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        **dict.fromkeys(("script-src", "style-src", "img-src", "connect-src"), "'self'"),
        **dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'"),
    }


def test_everything_that_it_names_is_served(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    named = set(re.findall(r'(?:src|href)="(/[^"]*)"', response.text))
    seen: set[str] = set()
    while fresh := named - seen:
        for path in fresh:
            asset = client.get(path)
            assert asset.status_code == 200, path
            named |= {f"/page/{name}" for name in re.findall(r'from "\./([^"]+)"', asset.text)}
        seen |= fresh
    assert {path.rsplit(".", 1)[1] for path in seen} == {"css", "js", "svg"}
    assert client.get("/page/page.js").headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "name", ["routes.py", "..%2Fapp.py", "%2e%2e/app.py", "nothing.js", "__init__.py", "..\\app.py"]
)
def test_nothing_else_of_its_folder_is(client: httpx.Client, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_it_works_without_a_network_and_never_reads_text_as_html() -> None:
    for file in FOLDER.iterdir():
        if file.name.endswith((".js", ".html", ".css")):
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"(?<!//www\.w3\.org)\b(?:src|href|from|url\()\s*=?\s*[\"'(]*https?:", text), file.name
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
            assert not re.search(r"<script>|\son\w+=|\sstyle=", text), "the policy forbids what stands in the page"


def test_it_is_no_part_of_the_api(client: httpx.Client) -> None:
    assert "/" not in client.get("/openapi.json").json()["paths"]
