#!/usr/bin/env python3
"""The one command of the house: sets itself up, then does what it is told.

    python3 manage.py up           the whole portal on this machine, embedded servers included
    python3 manage.py check-all    lint, types, contracts, migrations and tests
    python3 manage.py …            any Django command

Standard library only until the environment stands; the work is in deploy/embedded.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        f"Cần Python 3.11, đây là {sys.version.split()[0]}: chạy bằng `python3.11 manage.py …`.\n"
        f"Python 3.11 is needed, this is {sys.version.split()[0]}: run `python3.11 manage.py …`."
    )

from deploy.embedded.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv))
