"""The screens, one a file; `base` tells how one is added."""
