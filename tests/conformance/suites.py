"""Other people's checks of our API: llm-comply's two suites, and schemathesis with our own description."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FORMATS = ("openai-chat", "open-responses")
DIFFERENT: Mapping[str, str] = {
    "chat-image-input": "the models that are served have no eyes: 400, naming the part",
    "image-input": "the models that are served have no eyes: 400, naming the part",
    "chat-error-handling": "a body without a model is answered by the model that there is",
    "error-handling": "a body without a model is answered by the model that there is",
}
"""The checks of llm-comply that we mean to fail, and why."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: ``passed``, ``failed`` or ``skipped``, and what was wrong."""

    id: str
    status: str
    errors: tuple[str, ...]


def comply(url: str, form: str, seconds: float = 300) -> list[Checked]:
    """llm-comply's suite of one format against the API at ``url``; each request may take so many seconds."""
    asked = ["--format", form, "-u", url, "-k", "none", "-m", "any@plain", "--timeout", str(seconds), "--json"]
    done = subprocess.run([_BIN / "llm-comply", *asked], capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        raise RuntimeError(done.stderr[-2000:])
    results = json.loads(done.stdout)["results"]
    return [Checked(each["id"], each["status"], tuple(each.get("errors") or ())) for each in results]


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What schemathesis found: how many requests it made, and what it printed if it was not content."""

    requests: int
    complaint: str


def schemathesis(address: str, seconds: int, seed: int = 1) -> Fuzzed:
    """Requests made up from our description for so many seconds; no answer may be 5xx or other than described."""
    # Not the coverage phase: what it makes up is nested so deeply that Python 3.11 fails at reading schemathesis.
    asked = ["run", f"{address}/openapi.json", "--phases", "examples,fuzzing", "--checks", ",".join(CHECKS)]
    asked += ["--max-time", str(seconds), "--workers", "2", "--seed", str(seed), "--generation-database", "none"]
    # It tells the status for as long as somebody listens, and whoever waits for its end waits for ever.
    asked += ["--exclude-path", "/vault/events"]
    # An answer of a real model takes its time.
    asked += ["--continue-on-failure", "--no-color", "--request-timeout", "600"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": f"{__package__}.hooks", "PYTHONPATH": str(_ROOT)}
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [_BIN / "schemathesis", *asked], capture_output=True, text=True, cwd=scratch, env=environment
        )
    found = re.search(r"^ *(\d+) generated", done.stdout, re.MULTILINE)
    return Fuzzed(int(found[1]) if found else 0, done.stdout + done.stderr if done.returncode else "")
