"""``python -m bench``."""

import sys

from bench.program import main

sys.exit(main())
