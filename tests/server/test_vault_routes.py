"""``/vault`` and ``/health``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.server.building import CHINESE, CHINESE_LINK, TOMATOES, TOMATOES_LINK, Building
from vaultbridge import __version__
from vaultbridge.server.app import Application
from vaultbridge.server.guard import GuardOptions

NAMES = ["Garden/Tomatoes.md", "厨房/红烧肉.md", "Work/C# notes #1.md"]


def found(client: httpx.Client, q: str, **parameters: str | int | list[str]) -> list[str]:
    response = client.get("/vault/search", params={"q": q, **parameters})
    return [hit["note"] for hit in response.raise_for_status().json()["hits"]]


def test_a_hit_says_where_it_is_and_why_it_was_found(client: httpx.Client, vault: Path) -> None:
    body = client.get("/vault/search", params={"q": TOMATOES}).json()
    first = body["hits"][0]
    assert first["note"] == "Garden/Tomatoes.md"
    assert first["heading"] == ["Tomatoes", "Watering"]
    assert first["link"] == TOMATOES_LINK
    assert set(first["lanes"]) == {"keyword", "dense"}
    text = (vault / first["note"]).read_text()
    span = first["span"]
    assert text[span["start"] : span["end"]] == first["text"]
    assert text.splitlines()[span["start_line"] - 1] == first["text"].splitlines()[0]
    assert body["freshness"]["pending"] == 0


def test_a_hit_gives_its_reasons(client: httpx.Client) -> None:
    question = "Watering the tomatoes in summer"
    body = client.get("/vault/search", params={"q": question}).json()
    reasons = {reason["kind"]: reason["detail"] for reason in body["hits"][0]["reasons"]}
    assert reasons["title"] == "Tomatoes"
    assert reasons["heading"] == "Watering"
    assert set(reasons["words"].split()) <= set(question.casefold().split())
    assert float(reasons["meaning"]) == pytest.approx(body["hits"][0]["lanes"]["dense"], abs=0.005)
    assert "degraded" not in body


def test_chinese_is_found_by_its_words(client: httpx.Client) -> None:
    hits = client.get("/vault/search", params={"q": CHINESE, "mode": "keyword"}).json()["hits"]
    assert [hit["link"] for hit in hits] == [CHINESE_LINK]


def test_k_and_mode_are_obeyed(client: httpx.Client) -> None:
    assert len(found(client, "the", k=1)) == 1
    for mode in ("keyword", "dense"):
        hits = client.get("/vault/search", params={"q": TOMATOES, "mode": mode}).json()["hits"]
        assert {lane for hit in hits for lane in hit["lanes"]} == {mode}


def test_a_search_stays_in_its_scope(client: httpx.Client) -> None:
    everywhere = "tomatoes hive delegate"
    assert set(found(client, everywhere, folder="Garden")) == {"Garden/Tomatoes.md", "Garden/Bees.md"}
    assert set(found(client, everywhere, folder=["/Work/", "厨房"])) <= {"Work/C# notes #1.md", "厨房/红烧肉.md"}
    assert set(found(client, everywhere, tag="#insects")) == {"Garden/Bees.md"}
    assert "Garden/Bees.md" not in found(client, everywhere, exclude="Garden/Bees.md")


@pytest.mark.parametrize("parameters", [{}, {"q": ""}, {"q": "x", "k": 0}, {"q": "x", "mode": "magic"}])
def test_a_search_that_makes_no_sense_is_refused(client: httpx.Client, parameters: dict[str, str]) -> None:
    response = client.get("/vault/search", params=parameters)
    assert response.status_code == 400
    assert response.json()["error"]["param"] in ("q", "k", "mode")


# --- related notes ----------------------------------------------------------------------------------------------------


def related(client: httpx.Client, **body: str | int | list[str]) -> list[str]:
    return [hit["note"] for hit in client.post("/vault/related", json=body).raise_for_status().json()["hits"]]


def test_a_note_is_related_to_others_by_its_vectors_and_words(client: httpx.Client) -> None:
    found = related(client, note="Garden/Tomatoes.md", k=3)
    assert found
    assert "Garden/Tomatoes.md" not in found
    assert len(found) == len(set(found)), "each note once"
    by_get = client.get("/vault/related", params={"note": "Garden/Tomatoes.md", "k": 3}).json()
    assert [hit["note"] for hit in by_get["hits"]] == found
    assert all(hit["reasons"] for hit in by_get["hits"])


def test_a_text_is_related_to_the_notes_that_speak_of_it(client: httpx.Client) -> None:
    assert related(client, text=f"I wonder. {TOMATOES}", k=1) == ["Garden/Tomatoes.md"]
    assert "Garden/Tomatoes.md" not in related(client, text=TOMATOES, exclude=["Garden/Tomatoes.md"])
    assert "Private/Diary.md" not in related(client, text="the secret combination is seven", k=50)


@pytest.mark.parametrize(
    "body", [{}, {"text": " "}, {"note": "Nowhere.md"}, {"note": "Private/Diary.md"}, {"text": "x", "k": 0}]
)
def test_what_is_related_to_nothing_is_refused(client: httpx.Client, body: dict[str, str]) -> None:
    assert client.post("/vault/related", json=body).status_code == 400


def test_private_notes_are_not_found(client: httpx.Client) -> None:
    assert "Private/Diary.md" not in found(client, "secret combination seven", k=200)


def test_the_status_counts(client: httpx.Client, building: Building) -> None:
    status = client.get("/vault/status").json()
    assert status["vault"] == {"id": building.house.place.id, "name": "My Vault"}
    assert status["counts"]["notes"] == 5
    assert status["counts"]["unreadable"] == 1
    assert status["counts"]["vectors"] == status["counts"]["chunks"] == 5
    assert status["embedded"] == 5
    progress = status["progress"]
    assert (progress["notes_done"], progress["notes_total"], progress["seconds_left"]) == (5, 5, 0)
    assert progress["rate"] > 0
    assert progress["paused"] == ""
    assert (status["freshness"]["notes_share"], status["freshness"]["vectors_share"]) == (1, 1)
    files = [file for file in Path(building.house.place.store_uri).rglob("*") if file.is_file()]
    assert status["storage"]["bytes"] == sum(file.stat().st_size for file in files)
    assert status["storage"]["fragments"] >= 3
    assert status["problems"] == {}


@pytest.mark.parametrize("name", NAMES)
def test_an_indexed_note(client: httpx.Client, name: str) -> None:
    view = client.get(f"/vault/notes/{quote(name)}").json()
    assert (view["note"], view["indexed"], view["reason"]) == (name, True, "")
    assert view["state"] == "indexed"
    assert view["chunks"] == view["vectors"] >= 1
    assert view["indexed_at"] > 0
    assert (view["attempts"], view["retry_at"]) == (0, None)
    assert client.get(f"/vault/notes/{quote(name, safe='')}").json() == view, "a slash may be escaped too"


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("Private/Diary.md", "excluded", ".vaultbridgeignore: Private/"),
        (".obsidian/note.md", "excluded", "hidden"),
        ("../My Vault/Garden/Bees.md", "excluded", "hidden"),
        ("Latin.md", "unreadable", "not UTF-8"),
        ("Nowhere.md", "missing", "not in the vault"),
        ("a\0b.md", "missing", "not in the vault"),
    ],
)
def test_a_note_that_is_not_indexed_says_why(client: httpx.Client, name: str, state: str, reason: str) -> None:
    view = client.get(f"/vault/notes/{quote(name, safe='')}").raise_for_status().json()
    assert view["indexed"] is False
    assert view["state"] == state
    assert reason in view["reason"]
    assert view["chunks"] == view["vectors"] == 0
    assert (view["retry_at"] is not None) == (view["attempts"] > 0) == (state == "unreadable")


def test_the_status_counts_what_is_left_out_by_its_rule(client: httpx.Client) -> None:
    exclusions = client.get("/vault/status").json()["exclusions"]
    assert exclusions == [{"reason": ".vaultbridgeignore: Private/", "notes": 1}]


def test_the_health_names_us_and_the_models(client: httpx.Client) -> None:
    body = client.get("/health").json()
    assert (body["status"], body["name"], body["version"]) == ("ok", "vaultbridge", __version__)
    assert body["models"]["embedder"] == {"state": "ready", "reason": ""}
    assert set(body["models"]) == {"embedder", "generator"}


async def test_before_the_house_is_open_only_the_health_answers(building: Building) -> None:
    application = Application(GuardOptions())
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/health")).json()["status"] == "starting"
        for path in ("/vault/status", "/vault/search?q=x", "/v1/models", "/vault/notes/a.md"):
            early = await client.get(path)
            assert early.status_code == 503
            assert early.json()["error"]["code"] == "not_ready"
            assert "retry-after" in early.headers
        application.open(building.services)
        assert (await client.get("/health")).json()["status"] == "ok"
        assert (await client.get("/v1/models")).status_code == 200
