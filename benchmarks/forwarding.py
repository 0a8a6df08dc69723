"""`parvis bench forwarding`: what one forwarded packet costs the media worker, with real DTLS-SRTP subscribers.

The CPU time is that of the whole server process, by the operating system's accounting, over a window in which
everything else goes on as usual (consent checks, reports, timers). Clients run in a process of their own. On loopback
the kernel delivers within the sender's system call, so the server is charged for the receivers' socket queues as well;
clients look into theirs every 10 ms instead of being woken by each datagram, which it would be charged for, too.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from benchmarks.client import Clients, Plan, Totals
from benchmarks.process import cpu_s
from benchmarks.servers import Server, media_worker
from sfu.machines.srtp import AEAD_AES_128_GCM, AES128_CM_HMAC_SHA1_80

DESCRIPTION = "CPU time of the media worker per forwarded packet"
AIM_US = 6.0
WARM_UP_S = 3.0
QUICK_S = 8.0
PROFILES = {"gcm": AEAD_AES_128_GCM, "sha1": AES128_CM_HMAC_SHA1_80}
MODES = {True: "paced", False: "back_to_back"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--publishers", type=int, default=1)
    parser.add_argument("--subscribers", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measured window")
    parser.add_argument("--bitrate", type=int, default=1_300_000, help="video of one publisher, bit/s")
    parser.add_argument("--audio", action="store_true", help="publish Opus as well, 50 packets/s")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--paced", dest="modes", action="store_const", const=[True], help="only bursts of 5 ms")
    mode.add_argument("--back-to-back", dest="modes", action="store_const", const=[False], help="only whole frames")
    parser.add_argument("--coalesce-ms", type=float, default=0.0, help="media.coalesce_ms of the worker")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="gcm")
    parser.add_argument(
        "--no-feedback", dest="feedback", action="store_false", help="subscribers give no transport-wide feedback"
    )
    parser.add_argument("--compare", choices=["janus"], help="measure this server too, under the same load")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure; return the result. Top-level figures are those of the first mode (paced, unless told otherwise)."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    ours = await _measure(media_worker(coalesce_ms=arguments.coalesce_ms), arguments)
    first = next(iter(ours.values()))
    result: dict[str, Any] = {
        **first,
        "aim_us_per_packet": AIM_US,
        "modes": ours,
        "load": {
            "publishers": arguments.publishers,
            "subscribers": arguments.subscribers,
            "bitrate_bps": arguments.bitrate,
            "audio": arguments.audio,
            "feedback": arguments.feedback,
            "coalesce_ms": arguments.coalesce_ms,
        },
    }
    if arguments.compare == "janus":
        from benchmarks.janus import janus  # its server is needed by nothing else

        theirs = await _measure(janus(), arguments)
        result["janus"] = theirs
        result["janus_ratio"] = {
            mode: round(theirs[mode]["cpu_us_per_packet"] / ours[mode]["cpu_us_per_packet"], 2) for mode in ours
        }
    return result


async def _measure(
    starting: AbstractAsyncContextManager[Server], arguments: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Load one server and measure each mode in turn."""
    modes: list[bool] = arguments.modes or [True, False]
    seconds = QUICK_S if arguments.quick else arguments.seconds
    clients = Clients((PROFILES[arguments.profile].openssl_name,), feedback=arguments.feedback)
    try:
        async with starting as server:
            plan = Plan(arguments.bitrate, audio=arguments.audio, paced=modes[0])
            for number in range(arguments.publishers):
                name = f"publisher-{number}"
                offer = await clients.publisher(name, plan)
                await clients.answered(name, await server.publish(name, offer))
            tracks = arguments.publishers * (2 if arguments.audio else 1)
            await clients.wait(connected=arguments.publishers)
            await server.published(tracks)
            for number in range(arguments.subscribers):
                name = f"subscriber-{number}"
                offer = await server.subscribe(name)
                await server.answer(name, await clients.subscriber(name, offer))
            endpoints = arguments.publishers + arguments.subscribers
            await clients.wait(connected=endpoints, streams=arguments.subscribers * tracks)
            results = {}
            for paced in modes:
                await clients.pace(paced)
                await asyncio.sleep(WARM_UP_S)
                results[MODES[paced]] = await _window(server, clients, seconds)
            return results
    finally:
        await clients.close()


async def _window(server: Server, clients: Clients, seconds: float) -> dict[str, Any]:
    """Measure one window."""
    totals_before, cpu_before, started = await clients.totals(), cpu_s(server.pid), time.monotonic()
    gauges_before = server.gauges()
    await asyncio.sleep(seconds)
    totals, cpu, elapsed = await clients.totals(), cpu_s(server.pid) - cpu_before, time.monotonic() - started
    return _figures(totals_before, totals, cpu, elapsed) | _batching(gauges_before, server.gauges())


def _figures(before: Totals, after: Totals, cpu: float, elapsed: float) -> dict[str, Any]:
    received = after.received - before.received
    expected = after.expected - before.expected
    sent = after.sent - before.sent
    if not received or after.refused:
        raise SystemExit(f"nothing to measure: {received} packets received, {after.refused} did not authenticate")
    return {
        "cpu_us_per_packet": round(cpu / received * 1e6, 2),
        "cpu_percent": round(100 * cpu / elapsed, 2),
        "packets_forwarded": received,
        "packets_published": sent,
        "packets_verified": after.verified - before.verified,
        "bytes_forwarded": after.octets - before.octets,
        "loss_percent": round(100 * max(0, expected - received) / expected, 4),
        "srtp_profile": ",".join(after.profiles),
        "client_cpu_us_per_packet": round((after.cpu_s - before.cpu_s) / received * 1e6, 2),
        "seconds": round(elapsed, 2),
    }


def _batching(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    """Return how many datagrams one segmented message and one system call carry; None when the server does not say."""

    def per(gauge: str) -> float | None:
        count = after.get(gauge, 0) - before.get(gauge, 0)
        return round((after["packets_sent"] - before["packets_sent"]) / count, 2) if count > 0 else None

    return {"gso_segments_mean": per("send_messages"), "datagrams_per_call": per("send_calls")}


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw the cost per packet by mode, beside the aim and the other server."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    bars = {f"Parvis\n{mode}": figures["cpu_us_per_packet"] for mode, figures in result["modes"].items()}
    bars |= {f"Janus\n{mode}": figures["cpu_us_per_packet"] for mode, figures in result.get("janus", {}).items()}
    figure, axes = pyplot.subplots(figsize=(1.5 + 1.3 * len(bars), 4))
    drawn = axes.bar(list(bars), list(bars.values()), color=["#1f5fa8" if n[0] == "P" else "#999999" for n in bars])
    axes.bar_label(drawn, fmt="%.1f")
    axes.axhline(result["aim_us_per_packet"], linestyle="--", color="#b03030", label="aim")
    axes.set_ylabel("server CPU per forwarded packet, µs")
    load = result["load"]
    axes.set_title(f"{load['publishers']} publisher(s), {load['subscribers']} subscribers")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
