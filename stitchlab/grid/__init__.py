"""The main job: what a grid lacks is planned, estimated and computed."""
