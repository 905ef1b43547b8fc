"""An Engine whose authority is a back end: a charging station of that; Central looks on."""
