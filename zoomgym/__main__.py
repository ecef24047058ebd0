"""`python -m zoomgym` is the command `zoomgym`."""

import sys

from zoomgym.cli import main

sys.exit(main())
