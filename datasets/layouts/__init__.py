"""How the benchmarks of the field lay out their data, one file per family of layouts; `..registry` lists them all."""
