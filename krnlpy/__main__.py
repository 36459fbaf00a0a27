"""``python -m krnlpy``: the command, where no script of it is on the path."""

import sys

from .cli.command import main

sys.exit(main())
