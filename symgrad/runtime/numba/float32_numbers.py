"""The numbers that functions of numbers compute with, in float32."""

import numpy as np

REAL = np.float32  # of other numbers, as gradients are checked with, NumPy has the functions
INTEGER = np.int32  # holds the bits of such a number
FRACTION_BITS = 23  # of a number, below its leading one
EXPONENT_BIAS = 127
ROOT_HALF_BITS = 1060439283  # those of √½
SQUARE_MASK = -4096  # leaves the bits of a number whose square is exact
EXP_LEAST = REAL(-104.0)  # below it exp is 0
EXP_MOST = REAL(89.0)  # above it exp is infinite
EXPM1_LEAST = REAL(-20.0)  # below it expm1 is -1
ERFC_MOST = REAL(11.0)  # above it erfc is 0
NORMAL_LEAST = REAL(1.1754944e-38)  # below it numbers have fewer bits
NORMAL_SHIFT = REAL(8388608.0)  # times this they have all of them
WHOLE = REAL(12582912.0)  # a small number's sum with it ends in that, rounded
PER_LN2 = REAL(1.442695)
LN2 = REAL(0.6931472)
LN2_HEAD = REAL(0.69314575)  # so short that its product with an exponent is exact
LN2_REST = REAL(1.4286068e-06)  # ln(2) less that
# (exp(r) - 1 - r)/r² for |r| up to ln(2)/2
EXP = tuple(map(REAL, (
    0.5, 0.16666667, 0.041666467, 0.0083333105, 0.0013933642, 0.00019890981
)))
# (log((1 + q)/(1 - q))/q - 2)/z for z = q², from √½ to √2
LOG = tuple(map(REAL, (
    0.6666667, 0.40000123, 0.28550822, 0.23330468
)))
# erf(x)/x - 1 for z = x² up to 1
ERF = tuple(map(REAL, (
    0.12837917, -0.37612626, 0.11283594, -0.026854211, 0.0051890872, -0.00080168643, 7.875875e-05
)))
# (1 + 2x)·exp(x²)·erfc(x) for w = (x - 2.5)/(x + 2.5), after Shepherd and Laframboise (1981)
ERFC = tuple(map(REAL, (
    1.2648382, -0.12235675, -0.0990254, 0.15762982, -0.102946304, 0.03274826, 0.00076866,
    -0.0042008753, 0.0008862841
)))
# (tanh(x)/x - 1)/z for z = x² up to (5/8)²
TANH = tuple(map(REAL, (
    -0.33333334, 0.13333304, -0.053959258, 0.021768918, -0.008343945, 0.0022927448
)))
# log(cosh(x))/z for z = x² up to 1
LOGCOSH = tuple(map(REAL, (
    0.5, -0.08333297, 0.022216355, -0.006709512, 0.0020755783, -0.0005546655, 8.6054104e-05
)))
