"""`python -m keyong` is `keyong`."""

import sys

from keyong.cli import main

sys.exit(main())
