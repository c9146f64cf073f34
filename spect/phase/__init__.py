# SPDX-License-Identifier: Apache-2.0
"""Phase for magnitudes: frames (transform, inverse), griffin_lim (iterations), pghi (from a magnitude's gradients)."""
