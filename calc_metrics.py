#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Say how good, new and usable the sounds of a network are, from the sounds alone."""
