# SPDX-License-Identifier: Apache-2.0
"""How good, new and usable generated sounds are: spect/measures and stylegan3/metrics brought together."""
