"""`python -m edge` is `edge`."""

from edge.cli.app import main

if __name__ == "__main__":
    main()
