# SPDX-License-Identifier: GPL-2.0
#
# The project's pages alone, for scripts/htmldocs.sh: in a kernel tree they are built with the
# kernel's own conf.py. What reads kernel-doc is the kernel's.

import os
import sys

sys.path.insert(0, os.path.join(os.environ["srctree"], "Documentation/sphinx"))

project = "VCM"
author = copyright = "the authors of VCM"
extensions = ["automarkup", "kerneldoc"]
kerneldoc_srctree = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
kerneldoc_verbosity = 0

primary_domain = "c"
highlight_language = "none"
# What is in no system header.
c_id_attributes = ["__user", "__aligned", "__counted_by", "__must_check"]

html_theme = "alabaster"
html_theme_options = {"page_width": "75em", "sidebar_width": "17em", "fixed_sidebar": True}
html_copy_source = False
html_show_sphinx = False
