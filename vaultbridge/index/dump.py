"""The rows of an index written down, so that anybody can compare two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from vaultbridge.core.notes import Row


def dumped(rows: Sequence[Row]) -> Iterator[str]:
    """Each row as a line of JSON, in their order: equal vaults give equal lines.

    ``span``: first and last character, first and last line, as in ``Span``; ``digest`` is empty where the row's text
    does not have the one that it names.
    """
    for row in rows:
        span = row.span
        document = {
            "note": row.note,
            "ordinal": row.ordinal,
            "span": [span.start, span.end, span.start_line, span.end_line],
            "digest": row.digest,
            "vector": row.embedded,
        }
        yield json.dumps(document, ensure_ascii=False)
