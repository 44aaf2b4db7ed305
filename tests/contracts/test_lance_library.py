"""What our way to import LanceDB takes from nobody."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import vaultbridge.backends.lance_library
import pyarrow as pa
print("pandas" in sys.modules, pa.table({"a": [1]}).to_pandas().shape)
"""


def test_data_frames_are_not_imported_with_it_and_can_be_made_all_the_same() -> None:
    seen = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout
    assert seen == "False (1, 1)\n"
