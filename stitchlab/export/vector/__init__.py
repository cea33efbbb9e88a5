"""Draws figures as files by Matplotlib, without a browser: shapes are shapes and texts are texts. Imported on use."""
