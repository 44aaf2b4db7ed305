"""``python -m vaultbridge``."""

from vaultbridge.cli import main

if __name__ == "__main__":
    main()
