"""Our own routes: search, status and what the plugin needs."""
