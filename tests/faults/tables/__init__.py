"""The whole pipeline on tables of other shapes."""
