"""`python -m smackbox` is the `smack` command: what the box starts its own servers with."""

from smackbox.cli.main import main

if __name__ == "__main__":
    main()
