"""`python -m gemgate` is the console script."""

from gemgate.cli.main import main

if __name__ == "__main__":
    main()
