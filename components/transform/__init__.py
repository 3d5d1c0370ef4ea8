"""Transform: preprocessing set from the statistics, applied once."""
