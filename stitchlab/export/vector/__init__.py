"""Figures as files, drawn by Matplotlib without a browser: shapes are shapes and texts are texts. Imported on use."""
