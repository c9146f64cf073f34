# SPDX-License-Identifier: Apache-2.0
"""Training: a recipe of what is learned, phases that are its losses, a trainer that takes steps, a loop that tells."""
