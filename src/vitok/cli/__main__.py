"""`python -m vitok.cli`: the same as `vitok`."""

from vitok.cli.app import main

main()
