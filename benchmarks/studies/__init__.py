"""Studies: claims about agents that zoom, each with its arms, its seeds and a verdict."""
