"""`python -m hookwright_server`."""

from hookwright_server.cli import main

main()
