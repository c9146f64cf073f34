# SPDX-License-Identifier: Apache-2.0
"""The program's name and version, as snapshots, runs and recipes tell them (pyproject.toml says the same)."""

NAME = "sg3-spect"
VERSION = "0.1.0"
PROGRAM = f"{NAME} {VERSION}"
