"""Imported first by every adapter: while a job imports its modules, no garbage is looked for.

What modules make, stays. Python looks through all of it again and again while it grows, and once more when the process
ends: that is 2 of the 6 seconds that a job with torch and transformers takes to begin and to end. `ground.joblog.job`
switches the search on again, for what the job itself makes.

Nor is torch's compiler loaded. No job compiles, but bitsandbytes asks for it when it is imported, which takes
0.8 seconds; its functions then run as they are written. Whoever sets TORCHDYNAMO_DISABLE is obeyed.
"""

import gc
import os

gc.disable()
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
