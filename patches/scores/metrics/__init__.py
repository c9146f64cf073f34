# SPDX-License-Identifier: Apache-2.0
"""The metrics: each says what it asks of a sound, and judges sets of sounds against the data."""
