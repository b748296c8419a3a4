"""`python -m compress` is the `compress` command; `accelerate launch -m compress run …` needs it."""

from compress.cli.main import main

if __name__ == "__main__":
    main()
