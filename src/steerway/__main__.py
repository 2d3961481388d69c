"""`python -m steerway` is the `steerway` command."""

import sys

from steerway.cli import main

sys.exit(main())
