raise ImportError("no torch here")
