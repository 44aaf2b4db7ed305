"""READ: files to notes to chunks."""
