"""Reports: self-contained HTML for people."""
