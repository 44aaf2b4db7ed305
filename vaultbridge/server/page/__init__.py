"""The page at ``/`` for people without a plugin: HTML, a style and a script as they are, with no build step."""
