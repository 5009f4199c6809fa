"""`python -m edge` is `edge`."""

from edge.cli.start import main

if __name__ == "__main__":
    main()
