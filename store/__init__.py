from .errors import *
from .model import *
