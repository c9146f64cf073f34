# SPDX-License-Identifier: Apache-2.0
"""StyleGAN2 and StyleGAN3 over float pictures [N, C, F, T]. Knows nothing of sound."""
