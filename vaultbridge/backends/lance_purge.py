"""Takes off the disk what was deleted from a table.

LanceDB only marks rows as deleted: their text stays in the file that held it until a compaction thinks that rewriting
pays, it stays in older versions of the table, and its words stay in the keyword index.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any


async def rewrite(table: Any, indices: Mapping[str, Any]) -> None:
    """Write every row of a table anew and make its ``indices`` anew; then every older file goes.

    Nobody else may write to it meanwhile. Who reads an older version fails, and asks again (``lance_tables.latest``).
    """
    first = (await table.schema()).names[0]
    await table.update(updates_sql={first: first})
    for column, config in indices.items():
        await table.create_index(column, config=config, replace=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "optimize\\(cleanup_older_than=0\\)")  # it says what this is for
        await table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
