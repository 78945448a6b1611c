"""What a network costs and how fast it runs here: the room behind `ostrack-bench`.

`macs.count_geometry`, `count_bundle` and `count_keep_ratios` count multiply-adds (a MacsReport); `plan` holds every
matrix product as published and as exported. `fps.measure(FpsOptions(bundle))` gives an FpsReport: engines and, for the
floor, libraries take turns, each in a process of its own (`worker`).
"""

# Nothing is imported here: the workers come through this file, and their memory and load times are what is measured.
