"""`python -m lumenmill_client.command`."""

from lumenmill_client.command import main

if __name__ == "__main__":
    main()
