"""``python -m vaultbridge``."""

if __name__ == "__main__":  # a model's process imports this file again, and needs nothing of it
    from vaultbridge.cli import main

    main()
