"""The two graphs that are exported: the network's arithmetic with everything left out that cannot change its result.

Savings over the published graph, each exact:

- the template's patches are embedded once per target (`template` graph);
- normalisation and colour order are folded into the patch embedding, its bias into the positional embedding, the
  attention's scale into the queries, batch norm into the convolutions;
- candidates are ranked before the attention from the ranking rows alone, so that a dropped token gets no attention
  row, no projection and no MLP in the block that drops it;
- the last block computes search tokens only;
- the first convolutions of the head's three branches are one, and after an elimination it is computed from the kept
  tokens alone: the dropped ones are zeros.
"""

from __future__ import annotations

from .search import SearchGraph
from .template import TemplateGraph

__all__ = ["SearchGraph", "TemplateGraph"]
