# SPDX-License-Identifier: Apache-2.0
"""Triton kernels; each module imports triton, so import a module only where its kernel is to run."""
