"""Does the main job: plans, estimates and computes what a grid lacks."""
