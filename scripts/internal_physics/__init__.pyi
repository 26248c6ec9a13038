# What type checkers and editors read in place of the lazy names of exports.py.
from internal_physics import metrics as metrics
from internal_physics.api import lens as lens
from internal_physics.api import load as load
from internal_physics.api import record as record
from internal_physics.api import steer as steer
from internal_physics.families.thermodynamics.spectra import weight_spectra as weight_spectra
from internal_physics.records.store import read_trace as read_trace
from internal_physics.records.store import write_trace as write_trace
from internal_physics.records.trace import Trace as Trace

__version__: str
