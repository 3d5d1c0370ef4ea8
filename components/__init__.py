"""Components: one folder each, a typed interface over what runs in the image."""
