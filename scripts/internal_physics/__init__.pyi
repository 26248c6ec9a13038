# What type checkers and editors read in place of the lazy names of exports.py.
from internal_physics import figures as figures
from internal_physics import metrics as metrics
from internal_physics.api.comparing import compare as compare
from internal_physics.api.generating import generate as generate
from internal_physics.api.jacobians import jacobians as jacobians
from internal_physics.api.kernels import first_order_change as first_order_change
from internal_physics.api.kernels import kernel as kernel
from internal_physics.api.loading import load as load
from internal_physics.api.looking import look as look
from internal_physics.api.reading import lens as lens
from internal_physics.api.recording import record as record
from internal_physics.api.run import Run as Run
from internal_physics.api.run import read_run as read_run
from internal_physics.api.steering import steer as steer
from internal_physics.api.trace import Trace as Trace
from internal_physics.api.trace import read_trace as read_trace
from internal_physics.api.trace import write_trace as write_trace
from internal_physics.families.thermodynamics.spectra import weight_spectra as weight_spectra

__version__: str
