# SPDX-License-Identifier: Apache-2.0
"""What a sound GAN changes in a picture GAN: the only room that knows both spect/ and stylegan3/."""
