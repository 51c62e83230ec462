"""The benchmark: `python -m bench`. What it does and how to read it: bench/README.md."""
