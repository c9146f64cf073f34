# SPDX-License-Identifier: Apache-2.0
"""A listening test: a page that anyone can be sent, and the mean opinion scores of what they send back.

    python -m patches.scores.listening --networks a,b --data archive.zip --out test/
    python -m patches.scores.listening.results test/ answers/*.json

Absolute category rating after ITU-T P.800, annex B: one sound at a time, 1 (bad) to 5 (excellent).
"""
