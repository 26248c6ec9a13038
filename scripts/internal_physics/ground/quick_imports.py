"""Imported first by every adapter: while a job imports its modules, no garbage is looked for.

What modules make, stays. Python looks through all of it again and again while it grows, and once more when the process
ends: that is 2 of the 6 seconds that a job with torch and transformers takes to begin and to end. `ground.joblog.job`
switches the search on again, for what the job itself makes.
"""

import gc

gc.disable()
