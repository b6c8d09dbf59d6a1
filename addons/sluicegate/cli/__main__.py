"""python -m sluicegate.cli"""

from sluicegate.cli.app import main

if __name__ == "__main__":
    main()
