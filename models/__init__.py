"""The default model: a small tracker that comes with the package, so that nothing has to be fetched or trained first.

`default_bundle` is what a device runs, `default_checkpoint` the weights that it was built from; `default_card` says
what they were trained on and how well they do; `remedy` what to do where one of them is damaged. In a checkout,
`ostrack-export build --out models/edge/bundle` makes the bundle of the weights again.
"""

from __future__ import annotations

from .default import DEFAULT_NAME, default_bundle, default_card, default_checkpoint, remedy

__all__ = ["DEFAULT_NAME", "default_bundle", "default_card", "default_checkpoint", "remedy"]
