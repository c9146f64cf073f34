# SPDX-License-Identifier: Apache-2.0
"""Operations in C++ and CUDA, built on first use by the compiler that is here."""
