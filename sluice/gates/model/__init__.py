"""The model gate: what a challenger must prove before it is served."""
