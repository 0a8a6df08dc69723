"""`python -m parvis`."""

import sys

from parvis.cli import main

sys.exit(main())
