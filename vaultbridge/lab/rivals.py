"""Our server against stock ones on the same model file, one after the other in one run: ratios, not figures.

``python -m vaultbridge.lab.rivals MODEL.gguf --load PATH/load.py``. The rivals are llama-server as ``xllamacpp`` runs
it inside Python, ``llama_cpp.server``, and, where its file is given, the example server of llama-cpp-python's sources.
Every scenario of every server begins with a fresh process, so that nothing is cached; the load generator is any
program that takes load.py's arguments and prints its line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "one client": ("--concurrency", "1", "--requests", "4"),
    "four clients": ("--concurrency", "4", "--requests", "4"),
    "four clients, two rounds": ("--concurrency", "4", "--requests", "8"),
    "shared prefix": ("--concurrency", "4", "--requests", "4", "--shared-prefix"),
}
FIGURES = ("wall_s", "tok_s", "ttft_mean_ms", "ttft_p50_ms", "gap_p50_ms", "gap_max_ms")
START_SECONDS = 120
SCENARIO_SECONDS = 300
"""How long a scenario may take before its server counts as hanging."""

Results = dict[str, dict[str, list[dict[str, Any] | None]]]
"""The rows of each round, by scenario and server; None where a server hung."""

# llama-server as its own command line starts it: four slots, unified cache, flash attention as it decides.
LLAMA_SERVER = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_parallel, params.kv_unified = 4, True
params.n_ctx = 8192
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[3])
params.port = int(sys.argv[2])
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
time.sleep(3600)
"""


def commands(model: Path, port: int, threads: int, example: Path | None) -> Mapping[str, list[str]]:
    """How each server is started on a port."""
    python = sys.executable
    vault = Path(tempfile.mkdtemp(prefix="vaultbridge-rivals-"))
    ours = [
        python, "-m", "vaultbridge", "serve", "--vault", str(vault), "--data", str(vault / ".data"),
        "--model", str(model.resolve()), "--embedder", "none", "--port", str(port),
    ]  # fmt: skip
    stock = ["--model", str(model), "--n_ctx", "8192", "--port", str(port)]
    servers = {
        "vaultbridge": ours,
        "llama-server": [python, "-c", LLAMA_SERVER, str(model), str(port), str(threads)],
        "llama_cpp.server": [python, "-m", "llama_cpp.server", *stock, "--interrupt_requests", "false"],
    }
    if example:
        file = vault / "example.json"
        options = {"path": str(model), "n_ctx": 8192, "n_seq_max": 8, "threads": threads, "threads_batch": threads}
        file.write_text(json.dumps({"model": options, "server": {"port": port}}))
        servers["example server"] = [python, str(example), "--config-file", str(file)]
    return servers


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    """A server in a process of its own, answering; its base URL."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            _wait_until_it_answers(process, port, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Any) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "model": "x@plain"}
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=60).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.2)
    log.seek(0)
    raise SystemExit(f"A server did not start:\n{log.read().decode(errors='replace')[-2000:]}")


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(command: list[str], port: int, load: Path, arguments: tuple[str, ...]) -> dict[str, Any] | None:
    """One scenario against one fresh server; None if it hung."""
    with running(command, port) as url:
        asking = [sys.executable, str(load), url, "x@plain", *arguments]
        try:
            done = subprocess.run(asking, capture_output=True, text=True, check=True, timeout=SCENARIO_SECONDS)
        except subprocess.TimeoutExpired:
            return None
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    """Run every scenario against every server, in turn, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--load", type=Path, required=True, help="the load generator")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS))
    parser.add_argument("--server", action="append", help="only these beside ours")
    parser.add_argument("--example-server", type=Path, help="examples/server/server.py of llama-cpp-python's sources")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server outlives us
    results: Results = {}
    for scenario in options.scenario or SCENARIOS:
        for _ in range(options.rounds):
            port = free_port()
            for name, command in commands(options.model, port, options.threads, options.example_server).items():
                if name == "vaultbridge" or not options.server or name in options.server:
                    row = measure(command, port, options.load, SCENARIOS[scenario])
                    results.setdefault(scenario, {}).setdefault(name, []).append(row)
                    print(scenario, name, json.dumps(row), file=sys.stderr, flush=True)  # noqa: T201
    if options.json:
        print(json.dumps(results, indent=1))  # noqa: T201
    else:
        print("\n\n".join(table(scenario, servers) for scenario, servers in results.items()))  # noqa: T201


def table(scenario: str, servers: Mapping[str, list[dict[str, Any] | None]]) -> str:
    """Medians of each server, and of ours over theirs, round by round: the machine changes from minute to minute."""
    lines = [scenario.ljust(26) + "".join(figure.rjust(14) for figure in ("ok", *FIGURES))]
    for name, rows in servers.items():
        ended = [row for row in rows if row]
        if not ended:
            lines.append(name.ljust(26) + "hung".rjust(14))
            continue
        medians = [statistics.median(row[figure] or 0 for row in ended) for figure in FIGURES]
        cells = [str(sum(row["ok"] for row in ended)), *(f"{value:,.1f}" for value in medians)]
        lines.append(name.ljust(26) + "".join(cell.rjust(14) for cell in cells))
        pairs = [(us, them) for us, them in zip(servers["vaultbridge"], rows, strict=True) if us and them]
        if name != "vaultbridge" and pairs:
            ratios = [statistics.median((us[it] or 0) / (them[it] or 1) for us, them in pairs) for it in FIGURES]
            lines.append("  vaultbridge / it".ljust(40) + "".join(f"{ratio:.2f}".rjust(14) for ratio in ratios))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
