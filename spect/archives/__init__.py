# SPDX-License-Identifier: Apache-2.0
"""What is done with whole archives: looked at, merged, split, and several read as one."""
