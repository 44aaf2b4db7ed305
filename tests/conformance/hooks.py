"""What schemathesis cannot know of our API by its description; it loads this file by itself."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.hook
def map_headers(context: Any, headers: Any) -> Any:
    """Name no vault: a name that is made up is the wrong one, and nothing else would be looked at."""
    return {name: value for name, value in (headers or {}).items() if name.lower() != "x-vaultbridge-vault"}


@schemathesis.deserializer("application/x-ndjson")
def last_line(context: Any, response: Any) -> Any:
    """The last document of a stream of lines, which holds the most; all of them must be JSON."""
    return [json.loads(line) for line in response.content.splitlines()][-1]
