"""`python -m benchdesign`."""

from benchdesign.cli import main

if __name__ == "__main__":
    main()
