# SPDX-License-Identifier: Apache-2.0
"""A small synthesizer and the demonstration that `make demo` runs."""
