"""``python -m krnlpy.cli``: the command, as ``python -m krnlpy`` has it too."""

import sys

from .command import main

sys.exit(main())
