"""One HTML file that shows what runs of `ostrack-bench accuracy` found; needs the extra `report`.

`write_report(runs, out)` gathers (`gather`) what the page says (`content`), draws it (`plots`, `pictures`) and renders
it (`page`).
"""

from .write import write_report as write_report
