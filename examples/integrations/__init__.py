"""Other frameworks with zoomgym, in at most 30 lines each."""
