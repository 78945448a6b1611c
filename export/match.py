"""The network that a bundle was built from, made again from its checkpoint."""

from __future__ import annotations

from pathlib import Path

from ..runtime.bundle import Bundle
from ..runtime.errors import VerificationError
from .build import weights_sha256
from .checkpoint import read_checkpoint
from .load import network_from
from .model import OSTrack
from .variants import SIZES, Elimination


def load_matching_network(bundle: Bundle, checkpoint: Path) -> OSTrack:
    """Load `checkpoint` with the bundle's geometry. Raises VerificationError where its weights are not the bundle's."""
    network = bundle.manifest.network
    elimination = Elimination(network.keep_ratios, network.template_tokens, network.elimination_blocks)
    variant = network.variant if network.variant in SIZES else None
    loaded = network_from(read_checkpoint(checkpoint), variant, elimination, network.heads, network.design)
    if weights_sha256(loaded) != bundle.manifest.weights_sha256:
        raise VerificationError(
            f"{checkpoint} holds other weights than {bundle.folder} was built from ({bundle.manifest.source}); "
            "give that checkpoint, or build a bundle from this one"
        )
    return loaded
