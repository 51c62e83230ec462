"""`python -m watchkeeper` is the `watchkeeper` command."""

from watchkeeper.cli import main

main()
