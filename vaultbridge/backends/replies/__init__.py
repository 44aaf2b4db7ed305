"""How models write what is not plain text: thoughts and calls of tools. One file a format."""
