"""Bundles and parity as tables for people."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.status import Status
from rich.table import Table

from ..runtime.bundle import Bundle
from ..runtime.manifest import EngineFile, GraphFile, HeldBackAgreement, Parity, Recipe
from ..runtime.network import NetworkGeometry
from ..runtime.selftest import Agreement


def print_bundle(console: Console, bundle: Bundle) -> None:
    """What the bundle is, its files, and how near to PyTorch it was when it was built."""
    manifest = bundle.manifest
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("bundle", str(bundle.folder)),
        ("network", _network(manifest.network)),
        ("crops", _crops(manifest.network, str(manifest.color))),
        ("search tokens", _tokens(manifest.network)),
        ("ranked by", f"template tokens: {manifest.network.template_tokens}"),
        ("batch", "any" if manifest.batch is None else str(manifest.batch)),
        ("weights", manifest.source + ("" if manifest.trained else "  (made up: its boxes mean nothing)")),
        ("made", f"{manifest.created}, " + ", ".join(f"{k} {v}" for k, v in manifest.versions.items())),
    ):
        facts.add_row(name, value)
    console.print(facts)
    files = Table("graph", "precision", "file", "MiB", "MACs, G", box=None, padding=(0, 2))
    for file in manifest.graphs:
        files.add_row(str(file.role), named(file), file.path, f"{file.bytes / 2**20:.1f}", f"{file.macs / 1e9:.3f}")
    console.print(files)
    for file in manifest.graphs:
        if file.kept_float:
            console.print(
                f"{named(file)}: {len(file.kept_float)} Linears kept in float: {', '.join(file.kept_float)}",
                soft_wrap=True,
            )
    for parity in manifest.parity:
        print_parity(console, parity)
    if manifest.calibration:
        c = manifest.calibration
        console.print(
            f"calibrated on {c.crops} crops ({c.method}) of {', '.join(c.sources)}; sha256 {c.sha256[:12]}",
            soft_wrap=True,
        )
    for agreement in manifest.agreement:
        crops = "crops held back" if manifest.calibration else "rendered crops"
        console.print(
            f"{named(agreement)} against fp32 on {agreement.frames} {crops}: mean IoU {agreement.mean_iou:.4f}, same "
            f"cell {agreement.same_cell:.1%}  ({agreement.engine})",
            soft_wrap=True,
        )


def named(item: GraphFile | HeldBackAgreement | EngineFile) -> str:
    """A precision with its recipe."""
    return str(item.precision) if item.recipe is Recipe.PLAIN else f"{item.precision} ({item.recipe})"


def steps(notes: Console, status: Status) -> Callable[[str], None]:
    """What tells of a build's steps: each on a line of its own, and a counting one, as "collecting: 3 of 9", once."""
    last = ""

    def say(step: str) -> None:
        nonlocal last
        status.update(step)
        begin = step.partition(":")[0]
        if begin != last:
            notes.print(f"  {begin}", style="dim")
            last = begin

    return say


def print_parity(console: Console, parity: Parity) -> None:
    """Largest differences to PyTorch, one line."""
    console.print(
        f"{parity.precision} against PyTorch on {parity.crops} crops: score map {parity.score_map:.1e}, "
        f"size map {parity.size_map:.1e}, offset map {parity.offset_map:.1e}, box {parity.box:.1e}; "
        f"kept tokens equal on {parity.kept_sets_equal}, best cell on {parity.same_cell}",
        soft_wrap=True,
    )


def print_agreement(console: Console, agreement: Agreement) -> None:
    """The same without the maps, which take the onnx package to look at."""
    console.print(
        f"against PyTorch on {agreement.crops} crops: score {agreement.score:.1e}, box {agreement.box:.1e}; "
        f"kept tokens equal on {agreement.kept_sets_equal}, best cell on {agreement.same_cell} "
        "(maps not compared: that needs the onnx package)",
        soft_wrap=True,
    )


def _network(network: NetworkGeometry) -> str:
    return (
        f"{network.variant}: ViT of {network.depth} blocks, width {network.width}, {network.heads} heads, "
        f"MLP {network.mlp_width}; centre head {network.head_width}"
        + (f"; {network.design.in_words}" if network.design.in_words else "")
    )


def _crops(network: NetworkGeometry, color: str) -> str:
    return (
        f"template {network.template_size} (x{network.template_factor:g}), search {network.search_size} "
        f"(x{network.search_factor:g}), {color}"
    )


def _tokens(network: NetworkGeometry) -> str:
    steps = [str(network.search_token_count)]
    steps += [f"{kept} after block {block}" for block, kept in network.eliminations.items()]
    ratios = network.keep_ratios[:1] if len(set(network.keep_ratios)) == 1 else network.keep_ratios
    note = f"  (keep ratio {', '.join(f'{r:g}' for r in ratios)})" if ratios else "  (no elimination)"
    return " -> ".join(steps) + note
