"""`python -m signing`: verify files on an inspector's laptop, or run a folder of vectors. No database, no network.

Exit status: 0 all passed / all agree, 1 something did not, 2 the question itself was wrong.
"""

import io
import sys
import warnings

from cryptography.utils import CryptographyDeprecationWarning

from signing.command import main

if __name__ == "__main__":
    # The answer is Vietnamese whatever the machine's code page; a name that is no text at all is spelt out.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # A library's word to programmers about odd certificates is none to an inspector: the verdict says what counts.
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    raise SystemExit(main())
