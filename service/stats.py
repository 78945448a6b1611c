"""A session's figures for programs: JSON lines, Prometheus' text, one line for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from .latency import Spread
from .views import Snapshot, SourceState


def stats_json(snapshot: Snapshot) -> str:
    """One line of JSON without its end. Times are milliseconds."""
    latency, source = snapshot.latency, snapshot.source
    return json.dumps(
        {
            "frames": latency.frames,
            "frames_per_second": round(latency.frames_per_second, 2),
            "capture_to_box_ms": _spread(latency.capture_to_box),
            "worst_ms": round(latency.worst_ms, 2),
            "stages_ms": {name: _spread(spread) for name, spread in latency.stages.items()},
            "window": latency.in_window,
            "source": {
                "state": str(source.state),
                "captured": source.captured,
                "dropped": source.dropped,
                "bad": source.bad,
                "reopened": source.reopened,
            },
            "targets": {str(view.result.id): str(view.result.state) for view in snapshot.targets},
            "sinks": {sink.name: {"written": sink.written, "lost": sink.lost} for sink in snapshot.sinks},
            "paused": snapshot.paused,
        }
    )


def stats_line(snapshot: Snapshot) -> str:
    """For a log or `systemctl status`."""
    latency, source = snapshot.latency, snapshot.source
    parts = [f"source {source.state}", f"{latency.frames_per_second:.1f} frames/s"]
    if latency.capture_to_box is not None:
        spread = latency.capture_to_box
        parts.append(f"capture to box {spread.median:.1f} ms, p99 {spread.p99:.1f} ms")
    parts.append(f"{source.dropped} dropped, {source.bad} bad")
    parts += [f"{view.result.name} {view.result.state}" for view in snapshot.targets]
    return "; ".join(parts)


def prometheus_text(snapshot: Snapshot) -> str:
    """The figures in Prometheus' text format, version 0.0.4. Times are seconds, as its rules want."""
    return "".join(_metrics(snapshot))


def _metrics(snapshot: Snapshot) -> Iterator[str]:
    latency, source = snapshot.latency, snapshot.source
    counters = {
        "frames_tracked": (latency.frames, "Frames that were tracked."),
        "frames_captured": (source.captured, "Frames that the source gave."),
        "frames_dropped": (source.dropped, "Frames that a newer one replaced before the tracker was free."),
        "frames_bad": (source.bad, "Frames that could not be decoded."),
        "source_reopened": (source.reopened, "Times that the source was lost and came back."),
    }
    for name, (value, text) in counters.items():
        yield _metric(f"{name}_total", "counter", text, [("", value)])
    live = [(f'{{state="{state}"}}', int(state is source.state)) for state in SourceState]
    yield _metric("source_state", "gauge", "1 for the state that the source is in.", live)
    yield _metric("frames_per_second", "gauge", "Frames tracked per second, lately.", [("", latency.frames_per_second)])
    yield _metric("targets", "gauge", "Targets by their state.", tuple(_target_counts(snapshot)))
    yield _metric("paused", "gauge", "1 while tracking is paused.", [("", int(snapshot.paused))])
    if latency.capture_to_box is not None:
        spread = latency.capture_to_box
        quantiles = [(f'{{quantile="{q}"}}', v / 1e3) for q, v in _quantiles(spread)]
        rows = [*quantiles, ("_sum", latency.total_ms / 1e3), ("_count", latency.frames)]
        yield _metric("capture_to_box_seconds", "summary", "From capture to box; quantiles of the last frames.", rows)
        stages = [
            (f'{{stage="{stage}",quantile="{q}"}}', v / 1e3)
            for stage, spread in latency.stages.items()
            for q, v in _quantiles(spread)
        ]
        yield _metric("stage_seconds", "gauge", "Where the time of the last frames went.", stages)
    for kind in ("written", "lost"):
        rows = [(f'{{sink="{_escaped(sink.name)}"}}', getattr(sink, kind)) for sink in snapshot.sinks]
        if rows:
            yield _metric(f"sink_{kind}_total", "counter", f"Results that a sink has {kind}.", rows)


def _target_counts(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    states = [str(view.result.state) for view in snapshot.targets]
    for state in ("tracking", "uncertain", "lost"):
        yield f'{{state="{state}"}}', states.count(state)


def _metric(name: str, kind: str, text: str, rows: Sequence[tuple[str, float]]) -> str:
    name = f"ostrack_{name}"
    lines = "".join(f"{name}{label} {value:.9g}\n" for label, value in rows)
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{lines}"


def _quantiles(spread: Spread) -> list[tuple[str, float]]:
    return [("0.5", spread.median), ("0.9", spread.p90), ("0.99", spread.p99), ("1", spread.max)]


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {name: round(getattr(spread, name), 3) for name in ("median", "p90", "p99", "max")}
