"""What ``/metrics`` counts, in Prometheus's text format. Labels come from fixed sets, never from notes or requests."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from vaultbridge.core.dialogue import Timings, Usage

CONTENT_TYPE = CONTENT_TYPE_LATEST
MODEL_STATES = ("stopped", "loading", "ready", "restarting", "failed")
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Borders of the histograms: from a cached prompt to a long one on a slow machine."""


class Metrics:
    """Counts since the start of the server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace="vaultbridge", registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(name, text, labels, namespace="vaultbridge", registry=registry, buckets=SECONDS)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, namespace="vaultbridge", registry=registry)

        self._requests = counter(
            "requests", "Requests for an answer, by finish reason, error code or `cancelled`.", "outcome"
        )
        self._http = counter(
            "http_requests",
            "HTTP requests, by method, route and status; status 0: the client left before there was any.",
            *("method", "route", "status"),
        )
        self._http_seconds = histogram(
            "http_request_seconds", "From an HTTP request's headers to the last byte of its answer.", "route"
        )
        self._prompt = counter("prompt_tokens", "Tokens of prompts, cached ones too, for each choice.")
        self._cached = counter("cached_tokens", "Tokens of prompts that were not computed again.")
        self._completion = counter("completion_tokens", "Tokens generated.")
        self._drafted = counter("drafted_tokens", "Tokens guessed from the prompt, or by a draft model.")
        self._accepted = counter("accepted_tokens", "Guessed tokens that were right.")
        self._queue = histogram("queue_seconds", "From a request's arrival at the engine to its first batch.")
        self._prefill = histogram("prefill_seconds", "From there to its first token.")
        self._first = histogram("first_token_seconds", "From its arrival at the engine to its first token.")
        self._decode = histogram("decode_seconds", "From its first token to its last.")
        self._admitted = gauge("admitted_requests", "Requests that wait or run.")
        self._pending = gauge("index_pending_chunks", "Chunks that wait for a vector.")
        self._states = gauge("model_state", "1 for the state that a model's process is in.", "model", "state")

    def observe(self, usage: Usage, timings: Timings) -> None:
        """Count one finished choice."""
        self._prompt.inc(usage.prompt_tokens)
        self._cached.inc(usage.cached_tokens)
        self._completion.inc(usage.completion_tokens)
        self._drafted.inc(timings.drafted)
        self._accepted.inc(timings.accepted)
        self._queue.observe(timings.queue_ms / 1000)
        self._prefill.observe(timings.prefill_ms / 1000)
        self._first.observe((timings.queue_ms + timings.prefill_ms) / 1000)
        self._decode.observe(timings.decode_ms / 1000)

    def ended(self, outcome: str) -> None:
        """Count one request: ``outcome`` is its finish reason, its error's code, or ``cancelled``."""
        self._requests.labels(outcome).inc()

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one HTTP request; ``route`` is its template."""
        self._http.labels(method, route, status).inc()
        self._http_seconds.labels(route).observe(seconds)

    def text(self, admitted: int, pending: int, models: Iterable[tuple[str, str]]) -> bytes:
        """Everything, with how things are now: ``models`` are names of roles and their states."""
        self._admitted.set(admitted)
        self._pending.set(pending)
        for name, state in models:
            for known in MODEL_STATES:
                self._states.labels(name, known).set(known == state)
        return generate_latest(self._registry)
