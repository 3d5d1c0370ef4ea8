"""Submission: starting, scheduling, watching and ending runs on Vertex AI and on Kubeflow."""
