"""MEASURE: evaluation and the demo; nothing else imports it."""
