# SPDX-License-Identifier: Apache-2.0
"""Long recordings to clips on the beat: hear (novelty) -> tempo -> segments -> clips -> stretch (Brouillet et al.'s
ElectroGAN, section 5, cuts its music so).

Needs the extra `beats`: librosa for onset strength and a first tempo, python-stretch for stretching. Both are imported
where they are used, so that nothing else needs them.
"""
