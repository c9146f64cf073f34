# SPDX-License-Identifier: Apache-2.0
"""Sound <-> picture. Knows nothing of networks."""
