"""``make demo``: one question to the sample vault over HTTP, from nothing to an answer with its sources.

It fails unless the note that holds the answer is cited: a demo that shows something else is a broken one.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console

VAULT = Path(__file__).parents[2] / "docs" / "sample-vault"
QUESTION = "On which day does the reading group meet?"
EXPECTED = "[[Reading group#Meetings]]"
START_SECONDS = 120.0

out = Console(highlight=False, markup=False, soft_wrap=True)


def main() -> int:
    """Serve the sample vault, ask, print, stop; 0 if the expected note was cited."""
    with tempfile.TemporaryDirectory(prefix="vaultbridge-demo-") as scratch:
        port = _free_port()
        address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "vaultbridge", "serve", "--vault", str(VAULT)]
        out.print(f"$ vaultbridge serve --vault {VAULT.parent.name}/{VAULT.name}")
        # Its log, a line for each request, would stand in the middle of the answer.
        log = Path(scratch, "serve.log")
        with log.open("w") as written:
            server = subprocess.Popen([*command, "--port", str(port), "--data", scratch], stderr=written)
        try:
            with httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
                _wait(client, server, log)
                cited = _ask(client)
        finally:
            server.terminate()
            server.wait(10)
    if EXPECTED not in cited:
        out.print(f"\nThe demo failed: {EXPECTED} should have been cited.", style="bold red")
        return 1
    out.print(
        "\nThat was a very small model: it shows that everything works, and nothing more."
        "\nNext: `make serve VAULT=path/to/your/vault`, then point any OpenAI client at http://127.0.0.1:1234/v1."
        "\nFor answers worth reading, fetch a larger model: `vaultbridge models info gemma-3-4b-it` says how."
    )
    return 0


def _wait(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until the vault is indexed, vectors included."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"The server did not start:\n{log.read_text()}")
        try:
            response = client.get("/vault/status")
        except httpx.ConnectError:
            time.sleep(0.1)
            continue
        if response.is_error:  # it is still opening the index
            time.sleep(0.1)
            continue
        counts = response.json()["counts"]
        if counts["notes"] and counts["vectors"] == counts["chunks"]:
            out.print(f"Indexed {counts['notes']} notes in {counts['chunks']} chunks.\n")
            return
        time.sleep(0.1)
    raise SystemExit(f"The sample vault was not indexed in time:\n{log.read_text()}")


def _ask(client: httpx.Client) -> list[str]:
    """Stream one answer to the console; the links that it rests on."""
    out.print(f"> {QUESTION}\n", style="bold")
    body = {
        "model": "default",
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
        "max_tokens": 200,
        "stream": True,
        "vaultbridge": {"sources": "field"},
    }
    links: dict[int, str] = {}
    used: list[int] = []
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line.removeprefix("data: "))
            ours = chunk.get("vaultbridge", {})
            links |= {citation["number"]: citation["link"] for citation in ours.get("citations", [])}
            used = ours.get("used", used)
            out.print(chunk["choices"][0]["delta"].get("content", ""), end="")
    cited = [links[number] for number in used]
    out.print("\n\nSources: " + " · ".join(cited))
    return cited


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
